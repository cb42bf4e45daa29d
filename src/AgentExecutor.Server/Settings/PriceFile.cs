using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;

namespace AgentExecutor.Server.Settings;

/// <summary>Reads the file of <see cref="ServerSettings.PricesFile"/>.</summary>
internal static class PriceFile
{
    /// <summary>Returns the prices that are included in the program, overridden by those of the file.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.InvalidPrices"/>: the file cannot be read, or a price in it is invalid.
    /// </exception>
    public static PriceTable Read(string path)
    {
        try
        {
            return PriceTable.Shipped.With(File.ReadAllBytes(path));
        }
        catch (FaultException fault)
        {
            throw new FaultException(fault.Code, $"in '{path}', {fault.Message}", fault.Hint, fault);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(
                FaultCodes.InvalidPrices,
                $"the price table '{path}' cannot be read: {exception.Message.TrimEnd('.')}",
                "set AGENT_EXECUTOR_PRICES_FILE to a file that this program may read",
                exception
            );
        }
    }
}
