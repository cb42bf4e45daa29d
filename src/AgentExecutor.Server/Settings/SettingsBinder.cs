using System.Globalization;
using System.Reflection;
using System.Text.Json;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>Sets the properties of the settings records from texts. Collects all errors, and sets every property that has none.</summary>
/// <param name="given">The values by setting name, without the prefix. Known settings are removed.</param>
/// <param name="faults">Receives the errors.</param>
internal sealed class SettingsBinder(Dictionary<string, string> given, List<SettingFault> faults)
{
    /// <summary>A timer of .NET can run for at most 49 days.</summary>
    private const double MostSeconds = 30 * 24 * 3_600;

    private static readonly Dictionary<string, double> Greatest = new(StringComparer.Ordinal)
    {
        ["Milliseconds"] = MostSeconds * 1_000,
        ["Seconds"] = MostSeconds,
        ["Minutes"] = 60 * 24 * 365,
        ["Hours"] = 24 * 3_650,
        ["Days"] = 36_500,
    };

    public object Bind(object section, string prefix)
    {
        foreach (var property in SettingsReader.Properties(section.GetType()))
        {
            var name = prefix + JsonNamingPolicy.SnakeCaseUpper.ConvertName(property.Name);
            if (SettingsReader.IsSection(property.PropertyType))
            {
                property.SetValue(section, Bind(property.GetValue(section)!, name + "_"));
            }
            else if (given.Remove(name, out var text) && text.Length > 0)
            {
                Set(section, property, name, text);
            }
        }
        return section;
    }

    private void Set(object section, PropertyInfo property, string name, string text)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (type == typeof(string))
        {
            property.SetValue(section, text);
        }
        else if (type == typeof(Secret))
        {
            property.SetValue(section, new Secret(text));
        }
        else if (type == typeof(bool))
        {
            SetBool(section, property, name, text);
        }
        else if (type.IsEnum)
        {
            SetEnum(section, property, type, name, text);
        }
        else
        {
            SetNumber(section, property, type, name, text);
        }
    }

    private void SetBool(object section, PropertyInfo property, string name, string text)
    {
        if (bool.TryParse(text, out var value))
        {
            property.SetValue(section, value);
        }
        else
        {
            faults.Add(new SettingFault(name, $"'{text}' is not valid. Use true or false."));
        }
    }

    private void SetEnum(object section, PropertyInfo property, Type type, string name, string text)
    {
        var plain = text.Trim().Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        if (Enum.GetNames(type).FirstOrDefault(known => known.Equals(plain, StringComparison.OrdinalIgnoreCase)) is { } found)
        {
            property.SetValue(section, Enum.Parse(type, found));
        }
        else
        {
            var known = Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName);
            faults.Add(new SettingFault(name, $"'{text}' is not valid. Use one of {string.Join(", ", known)}."));
        }
    }

    private void SetNumber(object section, PropertyInfo property, Type type, string name, string text)
    {
        object value;
        try
        {
            value = Convert.ChangeType(text, type, CultureInfo.InvariantCulture);
        }
        catch (FormatException)
        {
            faults.Add(new SettingFault(name, $"'{text}' is not a {(type == typeof(double) ? "number" : "whole number")}."));
            return;
        }
        catch (OverflowException)
        {
            faults.Add(new SettingFault(name, $"{text} is out of range."));
            return;
        }
        var number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
        if (FaultIn(number, text, property) is { } fault)
        {
            faults.Add(new SettingFault(name, fault));
            return;
        }
        property.SetValue(section, value);
    }

    private static string? FaultIn(double number, string text, PropertyInfo property)
    {
        var unit = Greatest.Keys.FirstOrDefault(it => property.Name.EndsWith(it, StringComparison.Ordinal));
        return !double.IsFinite(number) ? $"'{text}' is not a finite number."
            : number < 0 ? $"{text} is below 0."
            : number == 0 && property.IsDefined(typeof(AboveZeroAttribute)) ? "The value must be above 0."
            : unit is not null && number > Greatest[unit]
                ? FormattableString.Invariant($"{text} is too long. Use at most {Greatest[unit]} {unit.ToLowerInvariant()}.")
            : null;
    }
}
