-- Back from 0007: breakers are forgotten, and with them that one is open.

DROP TABLE breakers;
