using System.Reflection;
using System.Runtime.InteropServices;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Chooses the native SQLite: the system's where it is newer than the one in the package (3.35.5), which restores everywhere but is
/// no longer maintained; else the package's.
/// </summary>
internal static class SqliteNative
{
    private const int BundledVersion = 3_035_005;

    private static readonly string[] SystemLibraries =
        OperatingSystem.IsWindows() ? ["winsqlite3"] : OperatingSystem.IsMacOS() ? ["/usr/lib/libsqlite3.dylib"] : ["libsqlite3.so.0", "libsqlite3.so"];

    private static readonly Lazy<bool> Initialized = new(Initialize);

    private delegate int LibVersionNumber();

    public static void Ensure() => _ = Initialized.Value;

    private static bool Initialize()
    {
        NativeLibrary.SetDllImportResolver(typeof(SQLitePCL.SQLite3Provider_e_sqlite3).Assembly, Resolve);
        SQLitePCL.raw.SetProvider(new SQLitePCL.SQLite3Provider_e_sqlite3());
        return true;
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        foreach (var library in name == "e_sqlite3" ? SystemLibraries : [])
        {
            if (NativeLibrary.TryLoad(library, out var handle) && VersionOf(handle) > BundledVersion)
            {
                return handle;
            }
        }
        return IntPtr.Zero; // the runtime then looks where packages put their libraries
    }

    private static int VersionOf(IntPtr library) => NativeLibrary.TryGetExport(library, "sqlite3_libversion_number", out var export)
        ? Marshal.GetDelegateForFunctionPointer<LibVersionNumber>(export)()
        : 0;
}
