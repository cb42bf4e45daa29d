using System.Buffers.Binary;

namespace AgentExecutor.Adapters.Sandbox.Linux;

/// <summary>What a program may call in addition to what every program may.</summary>
internal sealed record SystemCallRules
{
    /// <summary>Whether the program has a network namespace of its own, with what it may reach, and may open sockets.</summary>
    public bool AllowsInternet { get; init; }

    /// <summary>Whether it has its own process, mount and IPC namespaces.</summary>
    public bool HasNamespaces { get; init; }

    /// <summary>
    /// Whether it has the user id of the service, so that only the filter keeps it from changing the service's processes and files.
    /// </summary>
    public bool SharesUser { get; init; }

    /// <summary>Whether signals to the service must be refused here, because Landlock of this kernel cannot.</summary>
    public bool RefusesSignals { get; init; }

    /// <summary>Whether shortening a file by its path must be refused here, because Landlock of this kernel cannot.</summary>
    public bool RefusesTruncate { get; init; }

    /// <summary>The process that the program becomes. It may send signals to itself.</summary>
    public int ProcessId { get; init; }

    /// <summary>Whether shared memory without a file is refused, because no limit of the address space counts it.</summary>
    public bool RefusesSharedMemory { get; init; }
}

/// <summary>
/// Builds the seccomp filter, a program of classic BPF that the kernel executes at each system call. It allows what it does not name.
/// <list type="number">
/// <item>Another architecture, and the x32 interface, end the process, because their numbers have other meanings.</item>
/// <item>Numbers above the highest known one, and <c>clone3</c>, are missing (ENOSYS), so that libraries use what they replaced.</item>
/// <item>Calls with conditions on their arguments are tested one by one.</item>
/// <item>The list of refused calls returns EPERM.</item>
/// </list>
/// Each test skips its own return, so all jumps are short.
/// </summary>
internal sealed class SystemCallFilter
{
    private const ushort Load = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort JumpIfGreater = 0x25;
    private const ushort JumpIfAnyBit = 0x45;
    private const ushort And = 0x54;
    private const ushort Return = 0x06;

    private const uint Allow = 0x7fff0000;
    private const uint KillProcess = 0x80000000;
    private const uint Fail = 0x00050000;
    private const uint NotPermitted = 1;
    private const uint AccessDenied = 13;
    private const uint NotImplemented = 38;

    private const uint NumberOffset = 0;
    private const uint ArchitectureOffset = 4;
    private const uint UnixFamily = 1;

    /// <summary>
    /// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET; and CLONE_PARENT, which would make the service the parent.
    /// </summary>
    private const uint RefusedCloneFlags = 0x7e020000 | 0x8000;

    private readonly CpuArchitecture _architecture;
    private readonly List<(ushort Code, byte IfTrue, byte IfFalse, uint Value)> _program = [];

    private SystemCallFilter(CpuArchitecture architecture) => _architecture = architecture;

    /// <summary>Returns the program as the array of <c>sock_filter</c> that the kernel reads: 8 bytes for each instruction.</summary>
    public static byte[] Build(CpuArchitecture architecture, SystemCallRules rules)
    {
        var filter = new SystemCallFilter(architecture);
        filter.CheckArchitecture();
        filter.LimitClone();
        filter.LimitSockets(rules);
        filter.LimitTerminals();
        filter.LimitMemory(rules);
        filter.LimitOtherProcesses(rules);
        if (!rules.HasNamespaces)
        {
            filter.KeepGroup();
            filter.RefuseAll(SystemCalls.MessageQueues);
            filter.RefuseAll(SystemCalls.ExtendedAttributes);
            filter.Refuse(SystemCalls.WatchFile, NotPermitted);
        }
        if (rules is { SharesUser: true, HasNamespaces: false })
        {
            filter.RefuseAll(SystemCalls.FileAttributes);
        }
        if (rules.RefusesTruncate)
        {
            filter.Refuse(SystemCalls.Truncate, NotPermitted);
        }
        if (rules.RefusesSignals)
        {
            filter.LimitSignals((uint)rules.ProcessId);
        }
        filter.RefuseAll(SystemCalls.Refused);
        filter.Add(Return, Allow);
        return filter.ToBytes();
    }

    private void CheckArchitecture()
    {
        var (audit, isX64) = _architecture == CpuArchitecture.X64 ? (0xc000003eu, true) : (0xc00000b7u, false);
        Add(Load, ArchitectureOffset);
        Add(JumpIfEqual, audit, ifTrue: 1);
        Add(Return, KillProcess);
        Add(Load, NumberOffset);
        if (isX64)
        {
            Add(JumpIfAnyBit, 0x40000000, ifFalse: 1);
            Add(Return, KillProcess);
        }
        Add(JumpIfGreater, SystemCalls.Highest, ifFalse: 1);
        Add(Return, Fail | NotImplemented);
    }

    private void LimitClone()
    {
        Refuse(SystemCalls.Clone3, NotImplemented);
        When(SystemCalls.Clone, [.. Argument(0), (JumpIfAnyBit, 0, 1, RefusedCloneFlags), (Return, 0, 0, Fail | NotPermitted)]);
    }

    /// <summary>
    /// Without namespaces, not even local sockets: Landlock does not control which sockets of the file system a program connects to. Pairs
    /// of connected streams stay possible, because event loops need them.
    /// </summary>
    private void LimitSockets(SystemCallRules rules)
    {
        if (rules.AllowsInternet)
        {
            When(
                SystemCalls.Socket,
                [
                    .. Argument(0),
                    (JumpIfEqual, 3, 0, UnixFamily),
                    (JumpIfEqual, 2, 0, 2), // AF_INET
                    (JumpIfEqual, 1, 0, 10), // AF_INET6
                    (Return, 0, 0, Fail | AccessDenied),
                ]
            );
        }
        else if (rules.HasNamespaces)
        {
            When(SystemCalls.Socket, [.. Argument(0), (JumpIfEqual, 1, 0, UnixFamily), (Return, 0, 0, Fail | AccessDenied)]);
        }
        else
        {
            Refuse(SystemCalls.Socket, AccessDenied);
        }
        When(
            SystemCalls.SocketPair,
            [
                .. Argument(0),
                (JumpIfEqual, 0, 3, UnixFamily),
                .. Argument(1),
                (And, 0, 0, 0xf),
                (JumpIfEqual, 1, 0, 1), // SOCK_STREAM
                (Return, 0, 0, Fail | AccessDenied),
            ]
        );
    }

    /// <summary>Refuses to put characters into the input of a terminal: TIOCSTI and TIOCLINUX.</summary>
    private void LimitTerminals() =>
        When(
            SystemCalls.Ioctl,
            [.. Argument(1), (JumpIfEqual, 1, 0, 0x5412), (JumpIfEqual, 0, 1, 0x541c), (Return, 0, 0, Fail | NotPermitted)]
        );

    private void LimitMemory(SystemCallRules rules)
    {
        Refuse(SystemCalls.MemoryFile, NotImplemented);
        if (rules.RefusesSharedMemory)
        {
            // MAP_SHARED and MAP_ANONYMOUS together.
            When(
                SystemCalls.MemoryMap,
                [.. Argument(3), (And, 0, 0, 0x21), (JumpIfEqual, 0, 1, 0x21), (Return, 0, 0, Fail | NotPermitted)]
            );
        }
    }

    /// <summary>A program may set limits and priorities of itself only.</summary>
    private void LimitOtherProcesses(SystemCallRules rules)
    {
        When(
            SystemCalls.Personality,
            [.. Argument(0), (JumpIfEqual, 2, 0, 0), (JumpIfEqual, 1, 0, uint.MaxValue), (Return, 0, 0, Fail | NotPermitted)]
        );
        if (rules.HasNamespaces)
        {
            return;
        }
        foreach (var call in (SystemCall[])[SystemCalls.ProcessLimit, .. SystemCalls.Scheduling])
        {
            When(call, [.. Argument(0), (JumpIfEqual, 1, 0, 0), (Return, 0, 0, Fail | NotPermitted)]);
        }
        foreach (var call in (SystemCall[])[SystemCalls.SetPriority, SystemCalls.SetInputOutputPriority])
        {
            // Which: PRIO_PROCESS is 0, and IOPRIO_WHO_PROCESS is 1. Other values name groups and users.
            var process = call == SystemCalls.SetPriority ? 0u : 1u;
            When(
                call,
                [.. Argument(0), (JumpIfEqual, 0, 2, process), .. Argument(1), (JumpIfEqual, 1, 0, 0), (Return, 0, 0, Fail | NotPermitted)]
            );
        }
    }

    /// <summary>
    /// All processes of the program stay in one process group, which is killed as a whole. The calls succeed without an effect, because
    /// programs that become daemons expect them to.
    /// </summary>
    private void KeepGroup()
    {
        foreach (var call in SystemCalls.Groups)
        {
            When(call, [(Return, 0, 0, Fail)]);
        }
    }

    /// <summary>Signals reach the program itself (by its number, or as its group) and nothing else.</summary>
    private void LimitSignals(uint process)
    {
        When(
            SystemCalls.Kill,
            [
                .. Argument(0),
                (JumpIfEqual, 3, 0, 0),
                (JumpIfEqual, 2, 0, process),
                (JumpIfEqual, 1, 0, unchecked((uint)-(int)process)),
                (Return, 0, 0, Fail | NotPermitted),
            ]
        );
        When(SystemCalls.ThreadGroupKill, [.. Argument(0), (JumpIfEqual, 1, 0, process), (Return, 0, 0, Fail | NotPermitted)]);
        RefuseAll(SystemCalls.OtherSignals);
    }

    private void RefuseAll(SystemCall[] calls)
    {
        foreach (var call in calls)
        {
            Refuse(call, NotPermitted);
        }
    }

    private void Refuse(SystemCall call, uint error) => When(call, [(Return, 0, 0, Fail | error)]);

    /// <summary>
    /// Adds instructions that only run for this call. Those that do not return end with the number of the call loaded again, so that the
    /// next test finds it.
    /// </summary>
    private void When(SystemCall call, (ushort Code, byte IfTrue, byte IfFalse, uint Value)[] body)
    {
        if (call.On(_architecture) < 0)
        {
            return;
        }
        Add(JumpIfEqual, (uint)call.On(_architecture), ifFalse: (byte)(body.Length + (body.Length > 1 ? 1 : 0)));
        _program.AddRange(body);
        if (body.Length > 1)
        {
            Add(Load, NumberOffset);
        }
    }

    /// <summary>Loads the low half of an argument. Both architectures are little-endian.</summary>
    private static (ushort Code, byte IfTrue, byte IfFalse, uint Value)[] Argument(int index) => [(Load, 0, 0, (uint)(16 + (8 * index)))];

    private void Add(ushort code, uint value, byte ifTrue = 0, byte ifFalse = 0) => _program.Add((code, ifTrue, ifFalse, value));

    private byte[] ToBytes()
    {
        var bytes = new byte[_program.Count * 8];
        foreach (var (index, (code, ifTrue, ifFalse, value)) in _program.Index())
        {
            var at = bytes.AsSpan(index * 8);
            BinaryPrimitives.WriteUInt16LittleEndian(at, code);
            at[2] = ifTrue;
            at[3] = ifFalse;
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], value);
        }
        return bytes;
    }
}
