using System.Text;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// What <c>agent-executor sandbox-exec</c> applies before it becomes the program. The service writes it to the standard input of that
/// process, because arguments and environment variables can be read by others, and variables would change how the process starts.
/// </summary>
internal sealed record SandboxPolicy(SandboxLevel Level, string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The user and group that the program gets; null to keep those of the service.</summary>
    public uint? User { get; init; }

    /// <summary>The process that starts the program, and with which the program ends.</summary>
    public int ServiceProcess { get; init; }

    /// <summary>The private folder of the program, if it has no mount namespace: its subfolders are <c>work</c> and <c>tmp</c>.</summary>
    public string Folder { get; init; } = "";

    /// <summary>All environment variables of the program.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<string> ReadablePaths { get; init; } = [];

    public IReadOnlyList<string> WritablePaths { get; init; } = [];

    /// <summary>Files in the work folder, by their names.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>The socket file of the proxy to the network; empty if the program has no network.</summary>
    public string EgressSocket { get; init; } = "";

    public SandboxLimits Limits { get; init; } = new();

    /// <summary>Writes the length as four bytes, and then the policy.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(0);
        writer.Write((int)Level);
        writer.Write(Program);
        Write(writer, Arguments);
        writer.Write(User is not null);
        writer.Write(User ?? 0);
        writer.Write(ServiceProcess);
        writer.Write(Folder);
        Write(writer, Variables, static (to, value) => to.Write(value));
        Write(writer, ReadablePaths);
        Write(writer, WritablePaths);
        Write(
            writer,
            Files,
            static (to, value) =>
            {
                to.Write(value.Length);
                to.Write(value);
            }
        );
        writer.Write(EgressSocket);
        writer.Write(Limits.CpuTime.Ticks);
        writer.Write(Limits.MemoryBytes);
        writer.Write(Limits.AddressSpaceBytes);
        writer.Write(Limits.Processes);
        writer.Write(Limits.FileBytes);
        writer.Seek(0, SeekOrigin.Begin);
        writer.Write((int)stream.Length - sizeof(int));
        return stream.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote after the length.</summary>
    public static SandboxPolicy Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        var level = (SandboxLevel)reader.ReadInt32();
        return new SandboxPolicy(level, reader.ReadString(), ReadList(reader))
        {
            User = reader.ReadBoolean() ? reader.ReadUInt32() : Skip(reader.ReadUInt32()),
            ServiceProcess = reader.ReadInt32(),
            Folder = reader.ReadString(),
            Variables = ReadMap(reader, static from => from.ReadString()),
            ReadablePaths = ReadList(reader),
            WritablePaths = ReadList(reader),
            Files = ReadMap(reader, static from => from.ReadBytes(from.ReadInt32())),
            EgressSocket = reader.ReadString(),
            Limits = new SandboxLimits
            {
                CpuTime = TimeSpan.FromTicks(reader.ReadInt64()),
                MemoryBytes = reader.ReadInt64(),
                AddressSpaceBytes = reader.ReadInt64(),
                Processes = reader.ReadInt32(),
                FileBytes = reader.ReadInt64(),
            },
        };
    }

    private static uint? Skip(uint _) => null;

    private static void Write(BinaryWriter writer, IReadOnlyList<string> values)
    {
        writer.Write(values.Count);
        foreach (var value in values)
        {
            writer.Write(value);
        }
    }

    private static void Write<T>(BinaryWriter writer, IReadOnlyDictionary<string, T> values, Action<BinaryWriter, T> write)
    {
        writer.Write(values.Count);
        foreach (var (name, value) in values)
        {
            writer.Write(name);
            write(writer, value);
        }
    }

    private static string[] ReadList(BinaryReader reader)
    {
        var values = new string[reader.ReadInt32()];
        for (var index = 0; index < values.Length; index++)
        {
            values[index] = reader.ReadString();
        }
        return values;
    }

    private static Dictionary<string, T> ReadMap<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        var values = new Dictionary<string, T>(StringComparer.Ordinal);
        for (var count = reader.ReadInt32(); count > 0; count--)
        {
            values[reader.ReadString()] = read(reader);
        }
        return values;
    }
}
