using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace AgentExecutor.Core.Skills;

/// <summary>
/// Reads the YAML header of a <c>SKILL.md</c>, between two lines of three hyphens. Only its texts at the top level are kept. Aliases are
/// rejected, because a small text could otherwise expand to an unlimited one.
/// </summary>
internal static class SkillHeader
{
    private const string Fence = "---";
    private const int MaxLength = 16_384;
    private const int MaxDepth = 16;

    /// <summary>Returns null and the texts by key, or the reason why the header is invalid, as part of a sentence.</summary>
    public static string? Read(string file, out IReadOnlyDictionary<string, string> texts)
    {
        texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (HeaderOf(file) is not { } yaml)
        {
            return "does not begin with a header between two lines of three hyphens";
        }
        if (yaml.Length > MaxLength)
        {
            return $"has a header of more than {MaxLength} characters";
        }
        try
        {
            texts = Texts(new Parser(new StringReader(yaml)));
            return null;
        }
        catch (YamlException exception)
        {
            return $"has an invalid header in line {exception.Start.Line + 1}: {exception.Message}";
        }
    }

    private static string? HeaderOf(string file)
    {
        var text = file.ReplaceLineEndings("\n").TrimStart('\uFEFF');
        if (!text.StartsWith(Fence + "\n", StringComparison.Ordinal))
        {
            return null;
        }
        var end = text.IndexOf($"\n{Fence}", Fence.Length, StringComparison.Ordinal);
        return end < 0 ? null : text[(Fence.Length + 1)..Math.Max(end, Fence.Length + 1)];
    }

    private static Dictionary<string, string> Texts(Parser parser)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out _))
        {
            return texts;
        }
        parser.Consume<DocumentStart>();
        parser.Consume<MappingStart>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            var key = parser.Consume<Scalar>().Value;
            if (parser.TryConsume<Scalar>(out var value))
            {
                texts[key] = value.Value;
            }
            else
            {
                Skip(parser, depth: 0);
            }
        }
        return texts;
    }

    private static void Skip(Parser parser, int depth)
    {
        var start = parser.Current!.Start;
        if (depth > MaxDepth)
        {
            throw new YamlException(start, start, "the values are nested too deeply");
        }
        if (parser.TryConsume<Scalar>(out _))
        {
            return;
        }
        if (parser.TryConsume<MappingStart>(out _))
        {
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                Skip(parser, depth + 1);
            }
            return;
        }
        if (!parser.TryConsume<SequenceStart>(out _))
        {
            throw new YamlException(start, start, "aliases are not supported");
        }
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            Skip(parser, depth + 1);
        }
    }
}
