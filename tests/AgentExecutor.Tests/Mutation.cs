namespace AgentExecutor.Tests;

/// <summary>Creates invalid input from valid input.</summary>
internal static class Mutation
{
    /// <summary>Returns the sample with a few bytes changed, removed or duplicated.</summary>
    /// <param name="signs">Characters with a meaning for the parser, because changes to ordinary characters rarely matter.</param>
    public static byte[] Of(byte[] sample, string signs, Random random)
    {
        var bytes = new List<byte>(sample);
        for (var change = random.Next(1, 6); change > 0; change--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, random.Next(Math.Min(20, bytes.Count - at)));
                    break;
                case 2:
                    bytes.InsertRange(at, sample.AsSpan(random.Next(sample.Length / 2), random.Next(30)).ToArray());
                    break;
                default:
                    bytes[at] = (byte)signs[random.Next(signs.Length)];
                    break;
            }
        }
        return [.. bytes];
    }
}
