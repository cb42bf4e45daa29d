using System.Buffers.Binary;

namespace AgentExecutor.Tests.Sandbox;

/// <summary>Executes a filter as the kernel does, for architectures other than that of this machine too.</summary>
internal sealed class FilterProgram(byte[] instructions)
{
    public const uint Allow = 0x7fff0000;
    public const uint Kill = 0x80000000;

    /// <summary>The result of a filter that lets the call fail with this error number.</summary>
    public static uint Error(uint number) => 0x00050000 | number;

    /// <summary>Returns what the filter answers to a call.</summary>
    public uint Run(uint architecture, int number, params ulong[] arguments)
    {
        var data = new byte[64];
        BinaryPrimitives.WriteInt32LittleEndian(data, number);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(4), architecture);
        for (var index = 0; index < arguments.Length; index++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(16 + (8 * index)), arguments[index]);
        }
        var accumulator = 0u;
        for (var at = 0; ; at++)
        {
            var instruction = instructions.AsSpan(at * 8, 8);
            var value = BinaryPrimitives.ReadUInt32LittleEndian(instruction[4..]);
            switch (BinaryPrimitives.ReadUInt16LittleEndian(instruction))
            {
                case 0x20:
                    accumulator = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan((int)value));
                    break;
                case 0x54:
                    accumulator &= value;
                    break;
                case 0x15:
                    at += accumulator == value ? instruction[2] : instruction[3];
                    break;
                case 0x25:
                    at += accumulator > value ? instruction[2] : instruction[3];
                    break;
                case 0x45:
                    at += (accumulator & value) != 0 ? instruction[2] : instruction[3];
                    break;
                case 0x06:
                    return value;
                default:
                    throw new InvalidOperationException($"The filter has an unknown instruction at {at}.");
            }
        }
    }
}
