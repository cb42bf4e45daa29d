namespace AgentExecutor.Adapters.Egress;

/// <summary>The request was not sent, because definitions are not allowed to access its address here.</summary>
internal sealed class EgressException(string message) : HttpRequestException(message)
{
    /// <summary>Returns the reason if an exception was caused by the egress guard, or null.</summary>
    public static EgressException? Of(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is EgressException egress)
            {
                return egress;
            }
        }
        return null;
    }
}
