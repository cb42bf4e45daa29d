namespace AgentExecutor.Core.Execution;

/// <summary>
/// Task ids: 32 hexadecimal digits derived from the thread, the checkpoint, the namespace, the node and the task's index. A task that runs
/// again gets the same id, and no other thread has the same id, not even a fork. The id starts with the index, so that the ids of one
/// superstep sort in task order.
/// </summary>
public static class TaskId
{
    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    public static string Of(string threadId, string checkpointId, string ns, string node, int index)
    {
        var first = Mix(Mix(Mix(Mix(Offset, threadId), checkpointId), ns), node);
        var second = Mix(Mix(Mix(Mix(~Offset, node), checkpointId), ns), threadId);
        return string.Create(
            32,
            (index, first, second),
            static (text, it) =>
            {
                Write(text[..4], (ulong)it.index);
                Write(text[4..18], it.first);
                Write(text[18..], it.second);
            }
        );
    }

    // 112 bits of FNV-1a are enough to tell the tasks of one thread apart. The hash need not resist attacks: a collision would only harm
    // the thread of the person who caused it.
    private static ulong Mix(ulong hash, string text)
    {
        foreach (var character in text)
        {
            hash = (hash ^ character) * Prime;
        }
        return (hash ^ 0xFF) * Prime;
    }

    private static void Write(Span<char> text, ulong value)
    {
        for (var i = text.Length - 1; i >= 0; i--)
        {
            text[i] = "0123456789abcdef"[(int)(value & 0xF)];
            value >>= 4;
        }
    }
}
