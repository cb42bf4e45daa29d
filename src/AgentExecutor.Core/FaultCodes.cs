namespace AgentExecutor.Core;

/// <summary>The stable codes of faults. A code, once published, keeps its meaning.</summary>
public static class FaultCodes
{
    public const string InvalidDefinition = "invalid_definition";
    public const string DefinitionMismatch = "definition_mismatch";
    public const string InvalidInput = "invalid_input";
    public const string InvalidEvent = "invalid_event";
    public const string UnsupportedMediaType = "unsupported_media_type";
    public const string InvalidUpdate = "invalid_update";
    public const string InvalidAnswer = "invalid_answer";
    public const string ConcurrentUpdate = "concurrent_update";
    public const string UnknownChannel = "unknown_channel";
    public const string UnknownNode = "unknown_node";
    public const string UnknownThread = "unknown_thread";
    public const string UnknownCheckpoint = "unknown_checkpoint";
    public const string UnknownInterrupt = "unknown_interrupt";
    public const string RunExists = "run_exists";
    public const string ThreadExists = "thread_exists";
    public const string ThreadBusy = "thread_busy";
    public const string NothingToResume = "nothing_to_resume";
    public const string NothingToCancel = "nothing_to_cancel";
    public const string ExpressionFailed = "expression_failed";
    public const string SuperstepLimit = "superstep_limit";
    public const string ToolCallLimit = "tool_call_limit";
    public const string SubagentDepthLimit = "subagent_depth_limit";
    public const string TokenLimit = "token_limit";
    public const string WallTimeLimit = "wall_time_limit";
    public const string FanOutLimit = "fan_out_limit";
    public const string NodeTimeout = "node_timeout";
    public const string NodeFailed = "node_failed";
    public const string WorkerCrashed = "worker_crashed";
    public const string LeaseLost = "lease_lost";
    public const string StoreCorrupt = "store_corrupt";
    public const string StoreRefused = "store_refused";
    public const string StoreUnavailable = "store_unavailable";
    public const string BusUnavailable = "bus_unavailable";
    public const string StreamUnavailable = "stream_unavailable";
    public const string MessageTooLarge = "message_too_large";
    public const string UnknownRoute = "unknown_route";
    public const string MethodNotAllowed = "method_not_allowed";
    public const string ShuttingDown = "shutting_down";
    public const string UnknownMessage = "unknown_message";
    public const string JobConflict = "job_conflict";
    public const string DeliveredTooOften = "delivered_too_often";
    public const string UnknownSubject = "unknown_subject";
    public const string UnknownProvider = "unknown_provider";
    public const string ModelRateLimited = "model_rate_limited";
    public const string ModelUnavailable = "model_unavailable";
    public const string ModelTimeout = "model_timeout";
    public const string ModelInvalidRequest = "model_invalid_request";
    public const string ModelAuthentication = "model_authentication";
    public const string ModelContextOverflow = "model_context_overflow";
    public const string ModelRefused = "model_refused";
    public const string ScriptExhausted = "script_exhausted";
    public const string ToolUnavailable = "tool_unavailable";
    public const string Internal = "internal";
}
