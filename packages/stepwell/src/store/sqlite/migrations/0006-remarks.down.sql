-- Back from 0006. Remarks are lost.

DROP TABLE remarks;
