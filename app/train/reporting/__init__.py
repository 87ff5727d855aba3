"""How an evaluation looks: the page, its charts, the two pictures. Numbers are made elsewhere."""
