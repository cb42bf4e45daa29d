namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The parts of the file system that every program in the sandbox may read: programs, libraries, and what they need of /etc.
/// </summary>
internal static class SystemPaths
{
    /// <summary>The folders in which a program without a path is looked up. They are the PATH of programs in the sandbox.</summary>
    public static readonly string[] Programs = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <summary>Folders below /usr. Configuration in /usr/local/etc and sources in /usr/src are not among them.</summary>
    public static readonly string[] Folders =
    [
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/libx32",
        "/usr/libexec",
        "/usr/share",
        "/usr/include",
        "/usr/local/bin",
        "/usr/local/sbin",
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/local/include",
        "/usr/local/share",
    ];

    /// <summary>Folders of the root that are links to those below /usr, except on older systems.</summary>
    public static readonly string[] RootFolders = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

    /// <summary>What programs need of /etc: linking, alternatives, certificates, time zones and names of protocols.</summary>
    public static readonly string[] Etc =
    [
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/alternatives",
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
        "/etc/pki/tls",
        "/etc/pki/ca-trust",
        "/etc/ca-certificates",
        "/etc/localtime",
        "/etc/nsswitch.conf",
        "/etc/protocols",
        "/etc/services",
        "/etc/mime.types",
        "/etc/magic",
        "/etc/python3",
        .. Enumerable.Range(8, 12).Select(minor => $"/etc/python3.{minor}"),
    ];

    /// <summary>Files of /proc and /sys without data of processes, which runtimes read when they start.</summary>
    public static readonly string[] Machine = ["/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system/cpu"];

    /// <summary>The devices of every program.</summary>
    public static readonly string[] Devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
}
