using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// <c>provider: scripted</c>: no language model at all, but turns written down beforehand, for demonstrations and tests. What a turn quotes of
/// tool results is real.
/// </summary>
public sealed class ScriptedProvider(TimeProvider time) : IModelProvider
{
    public const string ProviderName = "scripted";

    public string Name => ProviderName;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => Script.Check(spec.Script);

    /// <summary>A script is a server of its own: one that is told to fail has no part in the others.</summary>
    public ModelAddress AddressOf(ModelSpec spec) => new($"{ProviderName}:{spec.Model}#{IdOf(spec.Script)}", IsOperators: false);

    public IChatClient CreateClient(ModelSpec spec) => new ScriptedChatClient(Script.Read(spec.Script), spec, time);

    private static string IdOf(JsonElement script) => script.ValueKind == JsonValueKind.Undefined
        ? "" : Convert.ToHexStringLower(SHA256.HashData(JsonMarshal.GetRawUtf8Value(script)).AsSpan(0, 4));
}
