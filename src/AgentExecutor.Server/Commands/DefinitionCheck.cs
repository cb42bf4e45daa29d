using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Server.Commands.Reports;

namespace AgentExecutor.Server.Commands;

/// <summary>The result of checking a definition on the command line.</summary>
/// <param name="Faults">Errors and warnings. If something is missing on this machine, such as a key, this is a warning.</param>
internal sealed record DefinitionCheck(IReadOnlyList<DefinitionFault> Faults)
{
    /// <summary>True if the definition has no errors.</summary>
    public bool IsValid => Faults.All(fault => fault.IsWarning);

    /// <summary>Checks a definition that this program could execute.</summary>
    public static async Task<DefinitionCheck> ForThisMachineAsync(
        byte[] definition,
        DefinitionEnvironment environment,
        CancellationToken cancellationToken
    ) =>
        new([
            .. (await ValidateAsync(definition, environment, cancellationToken)).Select(fault =>
                fault.IsEnvironment ? Missing(fault) : fault
            ),
        ]);

    /// <summary>
    /// Checks a definition that a service will run. The service has its own keys, prices and limits, so these are not checked.
    /// </summary>
    /// <exception cref="DefinitionException">The definition has errors; the exception contains all of them.</exception>
    public static async Task ForServiceAsync(
        ReadOnlyMemory<byte> definition,
        DefinitionEnvironment environment,
        CancellationToken cancellationToken
    )
    {
        var faults = (await ValidateAsync(definition, environment, cancellationToken))
            .Where(fault => !fault.IsEnvironment && fault.Code is not DefinitionCodes.LimitAboveServer)
            .ToList();
        if (faults.Exists(fault => !fault.IsWarning))
        {
            throw new DefinitionException(faults);
        }
        DefinitionFaults.Write(Console.Error, faults);
    }

    private static async Task<IReadOnlyList<DefinitionFault>> ValidateAsync(
        ReadOnlyMemory<byte> definition,
        DefinitionEnvironment environment,
        CancellationToken cancellationToken
    )
    {
        var source = DefinitionReader.Read(definition);
        await environment.Tools.PrepareAsync(source.Definition, cancellationToken);
        return DefinitionValidator.Validate(source, environment);
    }

    private static DefinitionFault Missing(DefinitionFault fault) =>
        fault with
        {
            IsWarning = true,
            Message = $"needed to run it on this machine: {fault.Message}",
        };
}
