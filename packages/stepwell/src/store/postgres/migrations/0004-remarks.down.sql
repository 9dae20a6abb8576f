-- Back from 0004. Remarks are lost.

DROP TABLE remarks;
