using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Writes JSON in a canonical form for hashing: without white space, members ordered by the bytes of their names, strings with as few
/// escapes as possible, and numbers as they were written. Texts that differ only in layout, order and escapes have the same form.
/// </summary>
/// <remarks>
/// An object is first written in its original order while the position of each member is recorded. If the order was wrong, the members are
/// then sorted from a copy. Most senders use a stable order, so copies are rare. The reader limits the depth.
/// </remarks>
internal sealed class CanonicalJson(EventFaults faults) : IDisposable
{
    // The path of each fault is built while leaving the nested values, so the cost of many faults in deep JSON would be the product of
    // both.
    private const int MaxFaults = 10;

    private static readonly SearchValues<byte> Escaped = SearchValues.Create([
        (byte)'"',
        (byte)'\\',
        .. Enumerable.Range(0, 0x20).Select(it => (byte)it),
    ]);

    private readonly List<(string Path, string Message, string Hint)> _found = [];
    private readonly List<Member> _members = [];
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(4096);
    private int _length;

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    /// <summary>Appends bytes that are already canonical.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Grow(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>
    /// Appends a value that was read before and so is valid JSON. Its only faults can be duplicate members and invalid texts.
    /// </summary>
    public void Append(ReadOnlyMemory<byte> json, string path, int extraDepth = 0)
    {
        var reader = JsonText.Reader(json, extraDepth);
        reader.Read();
        AppendValue(ref reader);
        foreach (var (below, message, hint) in _found)
        {
            faults.Add(path + below, message, hint);
        }
        _found.Clear();
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    private void AppendValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                AppendObject(ref reader);
                break;
            case JsonTokenType.StartArray:
                AppendArray(ref reader);
                break;
            case JsonTokenType.String:
                AppendText(ref reader);
                break;
            default:
                Append(reader.ValueSpan);
                break;
        }
    }

    private void AppendArray(ref Utf8JsonReader reader)
    {
        Append("["u8);
        for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
        {
            if (i > 0)
            {
                Append(","u8);
            }
            var found = _found.Count;
            AppendValue(ref reader);
            Locate(found, i, default);
        }
        Append("]"u8);
    }

    private void AppendObject(ref Utf8JsonReader reader)
    {
        Append("{"u8);
        var (start, first, isOrdered) = (_length, _members.Count, true);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (_members.Count > first)
            {
                Append(","u8);
            }
            var (found, name) = (_found.Count, _length);
            AppendText(ref reader);
            var nameEnd = _length;
            Append(":"u8);
            reader.Read();
            AppendValue(ref reader);
            var member = new Member(name, nameEnd, _length);
            Locate(found, -1, member);
            isOrdered = isOrdered && (_members.Count == first || Compare(_members[^1], member) < 0);
            _members.Add(member);
        }
        if (!isOrdered)
        {
            Reorder(start, CollectionsMarshal.AsSpan(_members)[first..]);
        }
        _members.RemoveRange(first, _members.Count - first);
        Append("}"u8);
    }

    private void Reorder(int start, Span<Member> members)
    {
        members.Sort(Compare);
        var length = _length - start;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        _buffer.AsSpan(start, length).CopyTo(copy);
        var at = start;
        for (var i = 0; i < members.Length; i++)
        {
            var member = members[i];
            if (i > 0)
            {
                _buffer[at++] = (byte)',';
            }
            if (i > 0 && Name(members[i - 1], copy, start).SequenceEqual(Name(member, copy, start)))
            {
                Fault(PathOf(Name(member, copy, start)), "the member appears more than once", "keep one of them");
            }
            copy.AsSpan(member.Start - start, member.End - member.Start).CopyTo(_buffer.AsSpan(at));
            at += member.End - member.Start;
        }
        ArrayPool<byte>.Shared.Return(copy);
    }

    private void AppendText(ref Utf8JsonReader reader)
    {
        Append("\""u8);
        if (!reader.ValueIsEscaped)
        {
            Append(reader.ValueSpan);
        }
        else
        {
            var plain = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
            try
            {
                AppendEscaped(plain.AsSpan(0, reader.CopyString(plain)));
            }
            catch (InvalidOperationException)
            {
                Fault("", "a \\u escape stands for half of a surrogate pair, which is not a character", "correct the escapes");
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(plain);
            }
        }
        Append("\""u8);
    }

    private void AppendEscaped(ReadOnlySpan<byte> plain)
    {
        // Prompts are long texts with few characters to escape. The text between two of them is copied at once.
        for (var at = plain.IndexOfAny(Escaped); at >= 0; at = plain.IndexOfAny(Escaped))
        {
            Append(plain[..at]);
            var unit = plain[at];
            if (unit is (byte)'"' or (byte)'\\')
            {
                Append([(byte)'\\', unit]);
            }
            else
            {
                Append("\\u00"u8);
                Append([(byte)('0' + (unit >> 4)), "0123456789abcdef"u8[unit & 15]]);
            }
            plain = plain[(at + 1)..];
        }
        Append(plain);
    }

    /// <summary>Prepends the step to this value to the paths of the faults that were found in it.</summary>
    private void Locate(int found, int index, Member member)
    {
        for (var i = found; i < _found.Count; i++)
        {
            var step = index >= 0 ? $"[{index}]" : PathOf(_buffer.AsSpan(member.Start, member.NameEnd - member.Start));
            _found[i] = _found[i] with { Path = step + _found[i].Path };
        }
    }

    private void Fault(string path, string message, string hint)
    {
        if (_found.Count < MaxFaults)
        {
            _found.Add((path, message, hint));
        }
    }

    private int Compare(Member a, Member b) => Name(a, _buffer, 0).SequenceCompareTo(Name(b, _buffer, 0));

    private static ReadOnlySpan<byte> Name(Member member, byte[] buffer, int offset) =>
        buffer.AsSpan(member.Start - offset, member.NameEnd - member.Start);

    private static string PathOf(ReadOnlySpan<byte> quotedName) =>
        $".{Encoding.UTF8.GetString(quotedName[1..Math.Min(quotedName.Length - 1, 100)])}";

    private void Grow(int more)
    {
        if (_length + more > _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + more));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
    }

    private readonly record struct Member(int Start, int NameEnd, int End);
}
