namespace AgentExecutor.Core;

/// <summary>A problem with a setting. The text contains no secrets.</summary>
/// <param name="Setting">
/// The path of the setting within its section, such as <c>URL</c> or <c>SSL_MODE</c>. In a check of the whole program it starts with the
/// section.
/// </param>
/// <param name="Message">What is wrong and how to fix it, without the name of the variable, which the settings reader adds.</param>
public sealed record SettingFault(string Setting, string Message);
