-- Budgets that runs share, by the definitions' name and a period of time. Costs are whole trillionths of a US dollar.
CREATE TABLE budgets (
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, period)
);

-- What model calls in flight may come to. A row goes when its call is settled, which is what makes settling count once.
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
