using System.Runtime.InteropServices;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// Copies texts to memory that the garbage collector does not move. It is never freed, because the process becomes another.
/// </summary>
internal static unsafe class NativeStrings
{
    public static byte* Of(string value) => (byte*)Marshal.StringToCoTaskMemUTF8(value);

    /// <summary>An array that ends with a null pointer.</summary>
    public static byte** Of(IReadOnlyList<string> values)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)(values.Count + 1), (nuint)sizeof(byte*));
        for (var index = 0; index < values.Count; index++)
        {
            array[index] = Of(values[index]);
        }
        return array;
    }
}
