-- Back from 0005: breakers are forgotten, and with them that one is open.

DROP TABLE breakers;
