using System.Diagnostics;
using System.Globalization;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>
/// A service as a given user, with or without user namespaces. It is the real program, so that nothing of the test is inside the boundary.
/// </summary>
internal sealed class SandboxSite : IDisposable
{
    /// <summary>An account of the service that is not root. No real account has this number.</summary>
    private const int ServiceUser = 61500;

    /// <summary>
    /// Enters a user namespace in which the numbers of all users are the same as outside and no other user namespace can be created, as
    /// in most containers; becomes a user; and becomes the program.
    /// </summary>
    private const string Enter = """
        import ctypes, os, struct, sys
        user, forbid, hide, command = int(sys.argv[1]), sys.argv[2] == 'forbid', sys.argv[3] == 'hide', sys.argv[4:]
        if forbid:
            root = os.getuid() == 0
            ready, go = os.pipe(), os.pipe()
            service = os.getpid()
            if os.fork() == 0:
                os.read(ready[0], 1)
                for name in ('uid_map', 'gid_map') if root else ():
                    with open(f'/proc/{service}/{name}', 'w') as file:
                        file.write('0 0 65536')
                os.write(go[1], b'x')
                os._exit(0)
            if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
                sys.exit('user namespaces are not available: ' + os.strerror(ctypes.get_errno()))
            if not root:
                for name, text in (('setgroups', 'deny'), ('uid_map', f'{user} {user} 1'), ('gid_map', f'{user} {user} 1')):
                    with open(f'/proc/self/{name}', 'w') as file:
                        file.write(text)
            os.write(ready[1], b'x')
            os.read(go[0], 1)
            os.wait()
            with open('/proc/sys/user/max_user_namespaces', 'w') as file:
                file.write('0')
        if user != os.getuid():
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        if hide:
            # A filter that lets landlock_create_ruleset (444) fail with ENOSYS, as in a kernel without Landlock.
            rules = ((0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x50026), (6, 0, 0, 0x7fff0000))
            code = b''.join(struct.pack('=HBBI', *it) for it in rules)
            code = ctypes.create_string_buffer(code)
            program = ctypes.create_string_buffer(struct.pack('@HxxxxxxP', 4, ctypes.addressof(code)))
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
                sys.exit('seccomp is not available')
        os.execv(command[0], command)
        """;

    /// <summary>The program as it is shipped.</summary>
    public static readonly string Program = Path.GetFullPath(
        Path.Combine(
            AppContext.BaseDirectory,
            "..",
            "..",
            "AgentExecutor.Server",
            new DirectoryInfo(AppContext.BaseDirectory).Name,
            "agent-executor"
        )
    );

    private readonly List<RunningProgram> _started = [];

    /// <param name="user"><c>root</c>, or <c>user</c> for an account without privileges.</param>
    /// <param name="isForbidden">True if the service cannot create user namespaces.</param>
    /// <param name="hidesLandlock">True if the kernel seems to have no Landlock.</param>
    public SandboxSite(string user, bool isForbidden, bool hidesLandlock = false)
    {
        const string Python = "/usr/bin/python3";
        Assert.SkipUnless(File.Exists(Python), $"{Python} is not installed.");
        Assert.SkipUnless(Environment.IsPrivilegedProcess || user == "user", "The tests do not run as root.");
        Assert.SkipUnless(isForbidden || File.Exists("/usr/bin/bwrap"), "bubblewrap is not installed.");
        User =
            user == "root" ? 0
            : Environment.IsPrivilegedProcess ? ServiceUser
            : CurrentUser();
        IsForbidden = isForbidden;
        HidesLandlock = hidesLandlock;
        Folder = System.IO.Directory.CreateTempSubdirectory("agent-executor-it-").FullName;
        Own(Folder);
    }

    public int User { get; }

    public bool IsForbidden { get; }

    public bool HidesLandlock { get; }

    /// <summary>A folder of the service, which only it can read.</summary>
    public string Folder { get; }

    /// <summary>The variables of the service.</summary>
    public Dictionary<string, string> Variables { get; } = new(StringComparer.Ordinal) { ["SERVICE_SECRET"] = "known-only-to-the-service" };

    /// <summary>The cases of every test: each user, with each level of isolation.</summary>
    public static TheoryData<string, bool> All() =>
        new()
        {
            { "root", false },
            { "root", true },
            { "user", false },
            { "user", true },
        };

    /// <summary>Creates a file that belongs to the service and has this mode.</summary>
    public string WriteSecret(string name, string mode = "600")
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, "known-only-to-the-service");
        SetMode(path, mode);
        Own(path);
        return path;
    }

    /// <summary>Sets the mode of a file, in octal digits.</summary>
    public static void SetMode(string path, string digits)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(digits, 8));
        }
    }

    /// <summary>Runs a Python script in the sandbox of the service, and returns its output. Fails if the script fails.</summary>
    public async Task<string> PythonAsync(string script, params string[] options)
    {
        var result = await RunAsync([.. options, "--", "/usr/bin/python3", "-c", script]);
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}: {result.Error}{result.Output}");
        return result.Output;
    }

    /// <summary>Runs <c>agent-executor sandbox</c> to its end.</summary>
    public async Task<ProgramResult> RunAsync(params string[] arguments) => await Start(arguments).WaitAsync();

    public RunningProgram Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(
            "/usr/bin/python3",
            [
                .. (string[])
                    ["-c", Enter, $"{User}", IsForbidden ? "forbid" : "allow", HidesLandlock ? "hide" : "show", Program, "sandbox"],
                .. arguments,
            ]
        )
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(
            Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")
        );
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }
        var program = new RunningProgram(Process.Start(start)!);
        _started.Add(program);
        return program;
    }

    /// <summary>Checks that the level is the one that this service can have, and writes it to the output of the test.</summary>
    public async Task<string> LevelAsync()
    {
        var result = await RunAsync();
        Assert.True(result.ExitCode == 0, result.Error);
        TestContext.Current.TestOutputHelper?.WriteLine($"user {User}, isolation {result.Output.Trim()}");
        return result.Output.Split(':')[0];
    }

    public void Dispose()
    {
        foreach (var program in _started)
        {
            program.Dispose();
        }
        System.IO.Directory.Delete(Folder, recursive: true);
    }

    private static int CurrentUser() =>
        int.Parse(
            File.ReadLines("/proc/self/status").First(it => it.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1],
            CultureInfo.InvariantCulture
        );

    private void Own(string path)
    {
        if (Environment.IsPrivilegedProcess)
        {
            using var chown = Process.Start("chown", [$"{User}:{User}", path]);
            chown.WaitForExit();
        }
    }
}
