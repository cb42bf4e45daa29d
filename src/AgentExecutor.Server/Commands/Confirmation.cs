using AgentExecutor.Core;

namespace AgentExecutor.Server.Commands;

/// <summary>Asks for confirmation at the terminal before data is permanently deleted.</summary>
internal static class Confirmation
{
    /// <summary>Lists what will be deleted, and returns once the user has confirmed it, at the terminal or with <c>--yes</c>.</summary>
    /// <param name="losses">What will be deleted, one line per item.</param>
    /// <exception cref="FaultException">The user declined, or there is no terminal; nothing was deleted.</exception>
    public static void Require(bool isGiven, IReadOnlyList<string> losses)
    {
        Console.Error.WriteLine("this permanently deletes:");
        foreach (var loss in losses)
        {
            Console.Error.WriteLine($"  {loss}");
        }
        if (isGiven)
        {
            return;
        }
        if (Console.IsInputRedirected)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                "nothing was deleted, because there is no terminal to ask for confirmation",
                "add --yes to confirm"
            );
        }
        Console.Error.Write("type yes to continue: ");
        if (Console.In.ReadLine()?.Trim() is not ("yes" or "y"))
        {
            throw new FaultException(FaultCodes.InvalidInput, "nothing was deleted", "answer yes, or add --yes");
        }
    }
}
