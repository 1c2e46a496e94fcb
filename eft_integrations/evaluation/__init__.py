"""Does up-scaling help? Factuality and helpfulness as functions of the coefficients."""
