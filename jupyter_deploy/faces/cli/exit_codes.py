"""The exit codes of the command line."""

# Exit codes by error code; others are 3 (target or internal error).
EXIT_CODES = {
    "refused": 1,
    "conflict": 1,
    "unconfirmed": 1,
    "guard_failed": 1,
    "gate_failed": 1,
    "gate_inconclusive": 4,
    "replay_failed": 1,
    "untrusted": 1,
    "candidate_unhealthy": 1,
    "invalid_input": 2,
    "invalid_name": 2,
    "unknown_endpoint": 2,
    "unknown_release": 2,
    "unknown_revision": 2,
    "unknown_source": 2,
    "unknown_target": 2,
    "unknown_job": 2,
    "invalid_example": 2,
    "invalid_traffic": 2,
    "no_candidate": 2,
    "not_capturable": 2,
    "base_unfit": 2,
    "signature_mismatch": 2,
    "wrong_distribution": 2,
    "kernel_died": 138,
}
USAGE = 2
INTERNAL = 3
INTERRUPTED = 130
TERMINATED = 143
