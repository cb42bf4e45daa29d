using System.Net;
using System.Net.Sockets;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>
/// What a hostile script tries. Each script prints one line for each attempt that it could carry out, and "done" at its end, so the whole
/// output of a safe sandbox is "done". Every attempt is made as root and as a normal user, with and without user namespaces.
/// </summary>
public sealed class EscapeTests
{
    /// <summary>
    /// Functions of the scripts: <c>attempt</c> reports what did not raise an error, and <c>call</c> makes a system call.
    /// </summary>
    private const string Tools = """
        import ctypes, errno, os, platform, signal, socket, struct, sys
        libc = ctypes.CDLL(None, use_errno=True)
        x64 = platform.machine() == 'x86_64'
        def attempt(name, action):
            try:
                result = action()
            except (OSError, MemoryError, ValueError) as error:
                return error
            print('possible:', name, result)
        def call(number, *arguments):
            if libc.syscall(number, *[ctypes.c_long(it) if isinstance(it, int) else it for it in arguments]) < 0:
                raise OSError(ctypes.get_errno(), 'refused')
        def read(path):
            with open(path, 'rb') as file:
                return file.read(100)
        def write(path):
            with open(path, 'ab') as file:
                file.write(b'x')

        """;

    public static TheoryData<string, bool> Sites => SandboxSite.All();

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task The_level_of_isolation_is_the_strongest_possible(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        Assert.Equal(isForbidden ? "restricted" : "namespaces", await site.LevelAsync());
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task The_environment_holds_only_what_was_declared(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            "import os; print(*sorted(os.environ), os.environ['GIVEN'])",
            "--env",
            "GIVEN=value",
            "--env",
            "DOTNET_STARTUP_HOOKS=/tmp/none.dll"
        );

        Assert.Empty(
            output.Split().Except(["GIVEN", "value", "DOTNET_STARTUP_HOOKS", "HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "TMPDIR", ""])
        );
        Assert.Contains("GIVEN", output);
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task No_open_files_are_inherited(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            """
            import os, stat
            for file in range(512):
                try:
                    print(file, stat.S_ISFIFO(os.fstat(file).st_mode))
                except OSError:
                    pass
            """
        );

        Assert.Equal("0 True\n1 True\n2 True\n", output);
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task The_network_is_out_of_reach(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var path = Path.Combine(Path.GetTempPath(), $"agent-executor-it-{Guid.NewGuid():N}");
        local.Bind(new UnixDomainSocketEndPoint(path));
        local.Listen();
        SandboxSite.SetMode(path, "777");
        using var hidden = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var name = $"agent-executor-it-{Guid.NewGuid():N}";
        hidden.Bind(new UnixDomainSocketEndPoint("\0" + name));
        hidden.Listen();

        var output = await site.PythonAsync(
            Tools
                + $$"""
                def connect(family, address, kind=socket.SOCK_STREAM):
                    with socket.socket(family, kind) as s:
                        s.settimeout(3)
                        s.connect(address)
                        s.send(b'x')
                attempt('loopback', lambda: connect(socket.AF_INET, ('127.0.0.1', {{((IPEndPoint)listener.LocalEndpoint).Port}})))
                attempt('metadata', lambda: connect(socket.AF_INET, ('169.254.169.254', 80)))
                attempt('private', lambda: connect(socket.AF_INET, ('10.0.0.1', 80)))
                attempt('mapped', lambda: connect(socket.AF_INET6, ('::ffff:127.0.0.1', {{((IPEndPoint)listener.LocalEndpoint).Port}})))
                attempt('datagram', lambda: connect(socket.AF_INET, ('169.254.169.254', 53), socket.SOCK_DGRAM))
                attempt('link', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
                attempt('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                attempt('vsock', lambda: connect(socket.AF_VSOCK, (2, 80)))
                attempt('socket file', lambda: connect(socket.AF_UNIX, '{{path}}'))
                attempt('abstract socket', lambda: connect(socket.AF_UNIX, '\0{{name}}'))
                attempt('names', lambda: socket.getaddrinfo('example.com', 80))
                a, b = socket.socketpair()
                a.send(b'done')
                print(b.recv(4).decode())
                """
        );
        File.Delete(path);

        Assert.Equal("done\n", output);
        Assert.False(listener.Pending());
        Assert.False(local.Poll(0, SelectMode.SelectRead));
        Assert.False(hidden.Poll(0, SelectMode.SelectRead));
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Files_outside_cannot_be_read_or_changed(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        var secret = site.WriteSecret("secret");
        var open = site.WriteSecret("open", "666");
        SandboxSite.SetMode(site.Folder, "777");
        var before = File.GetLastWriteTimeUtc(open);

        var output = await site.PythonAsync(
            Tools
                + $$"""
                for path in ('{{secret}}', '{{open}}'):
                    attempt('read ' + path, lambda: read(path))
                    attempt('write ' + path, lambda: write(path))
                    attempt('truncate ' + path, lambda: os.truncate(path, 0))
                    attempt('remove ' + path, lambda: os.unlink(path))
                    attempt('rename ' + path, lambda: os.rename(path, path + '-2'))
                    attempt('mode of ' + path, lambda: os.chmod(path, 0o777))
                    attempt('time of ' + path, lambda: os.utime(path, (0, 0)))
                    attempt('link ' + path, lambda: os.link(path, 'link'))
                    attempt('attribute of ' + path, lambda: os.setxattr(path, 'user.x', b'x'))
                attempt('create', lambda: write('{{site.Folder}}/new'))
                attempt('create folder', lambda: os.mkdir('{{site.Folder}}/new-folder'))
                for path in ('/etc/shadow', '/proc/kcore', '/etc/hostname', '/etc/environment'):
                    attempt('read ' + path, lambda: read(path))
                for path in ('/root', '/home', '/var', '/var/lib', '/etc', '/run', '/sys/class/net', '/boot', '/opt', '{{site.Folder}}'):
                    attempt('list ' + path, lambda: [it for it in os.listdir(path) if path != '/etc'] or os.listdir('/etc/ssh'))
                for path in ('/usr/bin/python3', '/usr/lib/new', '/etc/new', '/new', '/dev/new', '/bin/new',
                             '/proc/sys/kernel/core_pattern', '/sys/kernel/uevent_helper', '/var/tmp/new', '/dev/shm/../new'):
                    attempt('write ' + path, lambda: write(path))
                for path in ('/dev/vda', '/dev/sda', '/dev/mem', '/dev/kmsg', '/dev/fuse', '/dev/tty', '/dev/ptmx/../console'):
                    attempt('device ' + path, lambda: read(path))
                attempt('node', lambda: os.mknod('node', 0o60666, os.makedev(8, 0)))
                print('done')
                """
        );

        Assert.Equal("done\n", output);
        Assert.Equal("known-only-to-the-service", File.ReadAllText(secret));
        Assert.Equal("known-only-to-the-service", File.ReadAllText(open));
        Assert.Equal(before, File.GetLastWriteTimeUtc(open));
        Assert.Equal(["open", "secret"], Directory.GetFileSystemEntries(site.Folder).Select(Path.GetFileName).Order());
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Links_do_not_lead_out_of_the_work_folder(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        var secret = site.WriteSecret("secret", "666");

        var output = await site.PythonAsync(
            Tools
                + $$"""
                os.symlink('{{secret}}', 'file')
                os.symlink('{{site.Folder}}', 'folder')
                os.symlink('/', 'root')
                for path in ('file', 'folder/secret', 'root{{secret}}', '../../../../../..{{secret}}', '/proc/self/root{{secret}}',
                             '/proc/self/cwd/../../..{{secret}}', '/proc/1/root{{secret}}', '/dev/fd/0/../..{{secret}}'):
                    attempt('read ' + path, lambda: read(path))
                    attempt('write ' + path, lambda: write(path))
                attempt('replace', lambda: os.rename('file', '{{secret}}'))
                attempt('hard link', lambda: os.link('{{secret}}', 'hard'))
                attempt('leave by a folder', lambda: [os.chdir('folder'), os.listdir('.')])
                attempt('change root', lambda: os.chroot('.'))
                print('done')
                """
        );

        Assert.Equal("done\n", output);
        Assert.Equal("known-only-to-the-service", File.ReadAllText(secret));
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Other_processes_cannot_be_seen_or_reached(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            Tools
                + """
                service = os.getppid()
                others = [it for it in range(1, 40000) if it != os.getpid()]
                seen = []
                for process in others:
                    for name in ('environ', 'mem', 'maps', 'fd', 'root', 'cwd'):
                        path = f'/proc/{process}/{name}'
                        try:
                            text = os.listdir(path) if name in ('fd', 'root', 'cwd') else read(path)
                            # In a namespace, the processes that start the program are visible. They have nothing of the service.
                            is_own = process < 10 and 'SERVICE' not in str(text)
                            if name in ('environ', 'mem', 'fd') and text and not is_own:
                                seen.append(path)
                        except OSError:
                            pass
                if seen:
                    print('possible: to see', seen)
                attempt('attach', lambda: call(101 if x64 else 117, 16, service, 0, 0))
                attempt('seize', lambda: call(101 if x64 else 117, 0x4206, service, 0, 0))
                attempt('trace me', lambda: call(101 if x64 else 117, 0, 0, 0, 0))
                attempt('read memory', lambda: call(310 if x64 else 270, service, 0, 0, 0, 0, 0))
                attempt('write memory', lambda: call(311 if x64 else 271, service, 0, 0, 0, 0, 0))
                attempt('take a file', lambda: call(438, os.pidfd_open(service), 1, 0))
                attempt('compare', lambda: call(312 if x64 else 272, service, os.getpid(), 0, 0, 0))
                print('done')
                """
        );

        Assert.Equal("done\n", output);
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Signals_and_limits_do_not_reach_the_service(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        var service = site.Start("--", "/usr/bin/python3", "-c", "input()");

        var output = await site.PythonAsync(
            Tools
                + $$"""
                import resource
                for target in (os.getppid(), {{service.Id}}, 1, -{{service.Id}}):
                    if target == 1 and os.path.exists('/proc/1/comm'):
                        continue  # the first process of the own namespace
                    for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
                        if os.getppid() != target or not os.path.exists('/proc/1/comm'):
                            attempt(f'signal {number} to {target}', lambda: os.kill(target, number))
                attempt('signal by thread', lambda: call(200 if x64 else 130, {{service.Id}}, 15))
                attempt('signal by descriptor', lambda: signal.pidfd_send_signal(os.pidfd_open({{service.Id}}), 15))
                attempt('limit', lambda: resource.prlimit({{service.Id}}, resource.RLIMIT_NOFILE, (0, 0)))
                attempt('affinity', lambda: os.sched_setaffinity({{service.Id}}, [0]))
                attempt('priority', lambda: os.setpriority(os.PRIO_PROCESS, {{service.Id}}, 19))
                attempt('raise own limit', lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)))
                try:
                    os.kill(-1, signal.SIGKILL)
                except OSError:
                    pass
                print('done')
                """
        );

        Assert.Equal("done\n", output);
        Assert.True(Directory.Exists($"/proc/{service.Id}"));
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Dangerous_system_calls_are_refused(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            Tools
                + """
                import fcntl
                calls = dict(mount=(165, 40), umount2=(166, 39), pivot_root=(155, 41), keyctl=(250, 219), add_key=(248, 217),
                             bpf=(321, 280), perf_event_open=(298, 241), userfaultfd=(323, 282), io_uring_setup=(425, 425),
                             setns=(308, 268),
                             init_module=(175, 105), finit_module=(313, 273), kexec_load=(246, 104), reboot=(169, 142), swapon=(167, 224),
                             open_by_handle_at=(304, 265), name_to_handle_at=(303, 264), open_tree=(428, 428), fsopen=(430, 430),
                             syslog=(103, 116), quotactl=(179, 60), sethostname=(170, 161), clock_settime=(227, 112), acct=(163, 89),
                             memfd_create=(319, 279), shmget=(29, 194), fanotify_init=(300, 262), unshare=(272, 97))
                for name, numbers in calls.items():
                    result = attempt(name, lambda: call(numbers[0 if x64 else 1], 0, 0, 0, 0, 0))
                    if result is None or result.errno not in (errno.EPERM, errno.ENOSYS):
                        print('answered:', name, result)
                for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000):
                    attempt(f'unshare {flag}', lambda: call(272 if x64 else 97, flag))
                    attempt(f'clone {flag}', lambda: call(56 if x64 else 220, flag | 17, 0, 0, 0, 0))
                clone3 = attempt('clone3', lambda: call(435, 0, 0))
                if clone3.errno != errno.ENOSYS:
                    print('answered: clone3', clone3)
                attempt('personality', lambda: call(135 if x64 else 92, 0x0040000))
                typing = attempt('typing', lambda: fcntl.ioctl(0, 0x5412, b'x'))
                if typing.errno != errno.EPERM:
                    print('answered: TIOCSTI', typing)
                attempt('a newer call', lambda: call(500, 0))
                os.setuid(os.getuid())
                attempt('become root', lambda: os.setuid(0))
                attempt('become another', lambda: os.setuid(os.getuid() + 1))
                print('root' if os.getuid() == 0 or os.geteuid() == 0 else 'done')
                """
        );

        Assert.Equal("done\n", output);
    }
}
