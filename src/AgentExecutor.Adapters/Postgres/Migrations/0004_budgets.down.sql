DROP TABLE budget_reservations;
DROP TABLE budgets;
