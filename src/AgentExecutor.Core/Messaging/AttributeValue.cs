using System.Globalization;

namespace AgentExecutor.Core.Messaging;

/// <summary>The JSON type of an attribute's value. In headers every value is text.</summary>
public enum AttributeKind
{
    Text,
    Boolean,
    Integer,
}

/// <summary>The value of a CloudEvents attribute. Its kind is kept, so that it is written back as it was read.</summary>
/// <param name="Text">
/// The canonical text: <c>true</c> or <c>false</c> for a boolean, and digits with an optional minus sign for an integer.
/// </param>
public readonly record struct AttributeValue(AttributeKind Kind, string Text)
{
    public static AttributeValue Of(string value) => new(AttributeKind.Text, value);

    public static AttributeValue Of(bool value) => new(AttributeKind.Boolean, value ? "true" : "false");

    public static AttributeValue Of(int value) => new(AttributeKind.Integer, value.ToString(CultureInfo.InvariantCulture));

    public override string ToString() => Text;
}
