-- Budgets that runs share, by the definitions' name and a period of time. Costs are whole trillionths of a US dollar.
CREATE TABLE budgets (
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (name, period)
) WITHOUT ROWID;

-- What model calls in flight may come to. A row goes when its call is settled, which is what makes settling count once.
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
