namespace AgentExecutor.Server.Settings;

/// <summary>Reads settings whose items are separated by commas or spaces.</summary>
internal static class ListSetting
{
    public static string[] Items(string setting) =>
        setting.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
