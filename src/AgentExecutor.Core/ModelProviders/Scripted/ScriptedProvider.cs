using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// The provider <c>scripted</c>: instead of a language model, it uses turns that were written in advance, for demonstrations and tests. The
/// tool results that its turns quote are real.
/// </summary>
public sealed class ScriptedProvider(TimeProvider time) : IModelProvider
{
    public const string ProviderName = "scripted";

    public string Name => ProviderName;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => Script.Check(spec.Script);

    /// <summary>Every script counts as a server of its own, so that a script that fails on purpose does not affect the others.</summary>
    public ModelAddress AddressOf(ModelSpec spec) => new($"{ProviderName}:{spec.Model}#{IdOf(spec.Script)}", IsOperators: false);

    public IChatClient CreateClient(ModelSpec spec) => new ScriptedChatClient(Script.Read(spec.Script), spec, time);

    private static string IdOf(JsonElement script) =>
        script.ValueKind == JsonValueKind.Undefined
            ? ""
            : Convert.ToHexStringLower(SHA256.HashData(JsonMarshal.GetRawUtf8Value(script)).AsSpan(0, 4));
}
