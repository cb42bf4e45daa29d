-- Budgets that runs share, by the name in their definitions and the period. Costs are in trillionths of a US dollar.
CREATE TABLE budgets (
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, period)
);

-- The maximum usage of model calls that are being made. Settling a call deletes its row, so that its usage is added only once.
CREATE TABLE budget_reservations (
    thread_id text COLLATE "C" NOT NULL,
    call_id text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL,
    cost bigint NOT NULL,
    PRIMARY KEY (thread_id, call_id)
);

CREATE INDEX budget_reservations_by_budget ON budget_reservations (name, period);
