-- Budgets that runs share, by the name in their definitions and the period. Costs are in trillionths of a US dollar.
CREATE TABLE budgets (
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (name, period)
) WITHOUT ROWID;

-- The maximum usage of model calls that are being made. Settling a call deletes its row, so that its usage is added only once.
CREATE TABLE budget_reservations (
    thread_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    fence INTEGER NOT NULL,
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (thread_id, call_id)
) WITHOUT ROWID;

CREATE INDEX budget_reservations_by_budget ON budget_reservations (name, period);
