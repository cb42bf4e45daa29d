using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Tests.Sandbox;

public sealed class SystemCallFilterTests
{
    private const uint X64 = 0xc000003e;
    private const uint Arm64 = 0xc00000b7;
    private const uint NotPermitted = 1;
    private const uint Denied = 13;
    private const uint Missing = 38;

    private static readonly SystemCallRules Namespaces = new() { HasNamespaces = true };
    private static readonly SystemCallRules Restricted = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Dangerous_calls_are_refused_and_ordinary_ones_are_not(bool isX64)
    {
        foreach (var rules in (SystemCallRules[])[Namespaces, Restricted])
        {
            var filter = Build(isX64, rules);

            Assert.All(
                SystemCalls.Refused.Where(call => On(isX64, call) >= 0),
                call => Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, isX64, On(isX64, call)))
            );
            // read, write, openat, close, mmap, execve, exit_group, wait4
            foreach (var ordinary in isX64 ? (int[])[0, 1, 257, 3, 9, 59, 231, 61] : [63, 64, 56, 57, 222, 221, 94, 260])
            {
                Assert.Equal(FilterProgram.Allow, Run(filter, isX64, ordinary));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Another_architecture_ends_the_process(bool isX64)
    {
        var filter = Build(isX64, Namespaces);

        Assert.Equal(FilterProgram.Kill, filter.Run(0x40000003, 1)); // 32-bit x86
        Assert.Equal(FilterProgram.Kill, filter.Run(isX64 ? Arm64 : X64, 1));
    }

    [Fact]
    public void The_x32_interface_ends_the_process() => Assert.Equal(FilterProgram.Kill, Run(Build(true, Namespaces), true, 0x40000001));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Newer_calls_are_missing(bool isX64)
    {
        var filter = Build(isX64, Namespaces);

        Assert.Equal(FilterProgram.Error(Missing), Run(filter, isX64, SystemCalls.Highest + 1));
        Assert.Equal(FilterProgram.Error(Missing), Run(filter, isX64, On(isX64, SystemCalls.Clone3)));
    }

    [Theory]
    [InlineData(0x11, true)] // SIGCHLD, as fork uses it
    [InlineData(0x3d0f00, true)] // a thread
    [InlineData(0x10000011, false)] // CLONE_NEWUSER
    [InlineData(0x40000011, false)] // CLONE_NEWNET
    [InlineData(0x00020011, false)] // CLONE_NEWNS
    [InlineData(0x00008011, false)] // CLONE_PARENT
    public void Clone_makes_processes_and_threads_but_no_namespaces(long flags, bool isAllowed)
    {
        foreach (var isX64 in (bool[])[true, false])
        {
            Assert.Equal(
                isAllowed ? FilterProgram.Allow : FilterProgram.Error(NotPermitted),
                Run(Build(isX64, Restricted), isX64, On(isX64, SystemCalls.Clone), (ulong)flags)
            );
        }
    }

    [Fact]
    public void Sockets_depend_on_the_namespaces()
    {
        Assert.Equal(FilterProgram.Error(Denied), Socket(Restricted, 1));
        Assert.Equal(FilterProgram.Error(Denied), Socket(Restricted, 2));
        Assert.Equal(FilterProgram.Allow, Socket(Namespaces, 1));
        Assert.Equal(FilterProgram.Error(Denied), Socket(Namespaces, 2));
        Assert.Equal(FilterProgram.Error(Denied), Socket(Namespaces, 10));
        var internet = Namespaces with { AllowsInternet = true };
        Assert.Equal(FilterProgram.Allow, Socket(internet, 1));
        Assert.Equal(FilterProgram.Allow, Socket(internet, 2));
        Assert.Equal(FilterProgram.Allow, Socket(internet, 10));
        Assert.Equal(FilterProgram.Error(Denied), Socket(internet, 16)); // AF_NETLINK
        Assert.Equal(FilterProgram.Error(Denied), Socket(internet, 17)); // AF_PACKET
    }

    [Theory]
    [InlineData(1, 1, true)] // AF_UNIX, SOCK_STREAM
    [InlineData(1, 0x80801, true)] // with SOCK_CLOEXEC and SOCK_NONBLOCK
    [InlineData(1, 2, false)] // SOCK_DGRAM can send to other addresses
    [InlineData(2, 1, false)]
    public void Pairs_of_connected_streams_are_allowed(long family, long kind, bool isAllowed) =>
        Assert.Equal(
            isAllowed ? FilterProgram.Allow : FilterProgram.Error(Denied),
            Run(Build(true, Restricted), true, SystemCalls.SocketPair.X64, (ulong)family, (ulong)kind)
        );

    [Fact]
    public void Without_namespaces_a_program_keeps_its_process_group()
    {
        Assert.Equal(FilterProgram.Error(0), Run(Build(true, Restricted), true, 112)); // setsid
        Assert.Equal(FilterProgram.Error(0), Run(Build(true, Restricted), true, 109)); // setpgid
        Assert.Equal(FilterProgram.Allow, Run(Build(true, Namespaces), true, 112));
    }

    [Fact]
    public void Limits_and_priorities_of_other_processes_cannot_be_changed()
    {
        var filter = Build(true, Restricted);

        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.ProcessLimit.X64, 0));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.ProcessLimit.X64, 4711));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.SetPriority.X64, 0, 0));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.SetPriority.X64, 0, 4711));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.SetPriority.X64, 2, 0));
    }

    [Fact]
    public void Where_landlock_cannot_signals_are_limited_to_the_program_itself()
    {
        var filter = Build(true, Restricted with { SharesUser = true, RefusesSignals = true, ProcessId = 4711 });

        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.Kill.X64, 4711));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.Kill.X64, 0));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.Kill.X64, unchecked((uint)-4711)));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.Kill.X64, 4712));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.Kill.X64, uint.MaxValue));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, 424)); // pidfd_send_signal
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, 90)); // chmod
    }

    [Fact]
    public void Characters_cannot_be_typed_into_a_terminal()
    {
        var filter = Build(true, Namespaces);

        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.Ioctl.X64, 0, 0x5412));
        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.Ioctl.X64, 0, 0x541c));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.Ioctl.X64, 0, 0x5401));
    }

    [Fact]
    public void Shared_memory_is_refused_where_no_limit_counts_it()
    {
        var filter = Build(true, Namespaces with { RefusesSharedMemory = true });

        Assert.Equal(FilterProgram.Error(NotPermitted), Run(filter, true, SystemCalls.MemoryMap.X64, 0, 4096, 3, 0x21));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.MemoryMap.X64, 0, 4096, 3, 0x22));
        Assert.Equal(FilterProgram.Allow, Run(filter, true, SystemCalls.MemoryMap.X64, 0, 4096, 3, 0x01));
    }

    private static uint Socket(SystemCallRules rules, ulong family) => Run(Build(true, rules), true, SystemCalls.Socket.X64, family, 1);

    private static FilterProgram Build(bool isX64, SystemCallRules rules) =>
        new(SystemCallFilter.Build(isX64 ? CpuArchitecture.X64 : CpuArchitecture.Arm64, rules));

    private static uint Run(FilterProgram filter, bool isX64, int number, params ulong[] arguments) =>
        filter.Run(isX64 ? X64 : Arm64, number, arguments);

    private static int On(bool isX64, SystemCall call) => isX64 ? call.X64 : call.Arm64;
}
