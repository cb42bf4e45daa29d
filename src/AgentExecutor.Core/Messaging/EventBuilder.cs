using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>Collects the attributes of one event from members or headers, and checks each against the specification.</summary>
internal sealed class EventBuilder(EventFaults faults)
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private ImmutableSortedDictionary<string, AttributeValue>.Builder? _extensions;
    private string? _version;
    private string? _id;
    private string? _source;
    private string? _type;
    private string? _subject;
    private string? _schema;
    private DateTimeOffset? _time;

    public string? DataContentType { get; private set; }

    /// <summary>Returns true if the attribute is present, even if its value is invalid.</summary>
    public bool Has(string name) => _names.Contains(name);

    /// <summary>Returns false and adds a fault if the name is invalid or was used before.</summary>
    public bool TryName(string name)
    {
        if (!AttributeText.IsName(name))
        {
            faults.Add(
                name,
                "it is not a valid attribute name",
                name is "data"
                    ? "send the data as the message's body"
                    : "use lower-case letters and digits only, and put your own fields into data"
            );
            return false;
        }
        return TryFirst(name);
    }

    /// <summary>Returns false and adds a fault if the name was used before.</summary>
    public bool TryFirst(string name)
    {
        if (_names.Add(name))
        {
            return true;
        }
        faults.Add(name, "it appears more than once", "keep one of them");
        return false;
    }

    /// <summary>Removes the attribute, so that it is reported as missing if it is required.</summary>
    public void Unset(string name) => _names.Remove(name);

    /// <summary>Sets the value of a name that <see cref="TryName"/> has accepted.</summary>
    public void Set(string name, AttributeValue value)
    {
        if (AttributeText.Forbidden(value.Text) is { } character)
        {
            faults.Add(
                name,
                $"it contains the character {character}, which is not allowed in attributes",
                "remove control characters from it"
            );
            return;
        }
        if (!IsCore(name))
        {
            (_extensions ??= CloudEvent.NoExtensions.ToBuilder())[name] = value;
        }
        else if (value.Kind != AttributeKind.Text)
        {
            var kind = value.Kind == AttributeKind.Boolean ? "boolean" : "number";
            faults.Add(name, $"it must be a string, but is the {kind} {value.Text}", "write it in quotes");
        }
        else if (value.Text.Length == 0)
        {
            faults.Add(
                name,
                "it is empty",
                name is "id" or "source" or "type" or "specversion" ? "give it a value" : "give it a value or omit it"
            );
        }
        else
        {
            SetCore(name, value.Text);
        }
    }

    /// <summary>Builds the event. Attributes with faults are empty.</summary>
    public CloudEvent Build(EventDataKind kind, ReadOnlyMemory<byte> data)
    {
        Require("specversion", _version, "write specversion \"1.0\"");
        Require("id", _id, "give the event an id that is unique for its source");
        Require("source", _source, "name the sender with a URI reference, such as /my-service");
        Require("type", _type, "name what happened, such as com.example.order.created");
        return new CloudEvent
        {
            Id = _id ?? "",
            Source = _source ?? "",
            Type = _type ?? "",
            Subject = _subject,
            Time = _time,
            DataContentType = DataContentType,
            DataSchema = _schema,
            Extensions = _extensions?.ToImmutable() ?? CloudEvent.NoExtensions,
            DataKind = kind,
            Data = data,
        };
    }

    private void Require(string name, string? value, string hint)
    {
        if (value is null && !Has(name))
        {
            faults.Add(name, "it is missing", hint);
        }
    }

    private static bool IsCore(string name) =>
        name is "specversion" or "id" or "source" or "type" or "subject" or "time" or "datacontenttype" or "dataschema";

    private void SetCore(string name, string text)
    {
        switch (name)
        {
            case "specversion" when text != CloudEvent.SpecVersion:
                faults.Add(
                    name,
                    $"it is {EventFaults.Quote(text)}, but only \"1.0\" is supported",
                    "send the event in the format of CloudEvents 1.0"
                );
                break;
            case "specversion":
                _version = text;
                break;
            case "id":
                _id = text;
                break;
            case "source" when !UriText.IsReference(text):
                faults.Add(
                    name,
                    $"{EventFaults.Quote(text)} is not a URI reference",
                    "write a URI or a path, and percent-encode spaces and other characters that are not allowed in URIs"
                );
                break;
            case "source":
                _source = text;
                break;
            case "type":
                _type = text;
                break;
            case "subject":
                _subject = text;
                break;
            case "time" when !Timestamp.TryRead(text, out _):
                faults.Add(name, $"{EventFaults.Quote(text)} is not an RFC 3339 time", "write it like 2018-04-05T17:31:00Z");
                break;
            case "time":
                _ = Timestamp.TryRead(text, out var time);
                _time = time;
                break;
            case "datacontenttype" when !MediaType.IsWellFormed(text):
                faults.Add(name, $"{EventFaults.Quote(text)} is not a media type", "write it like application/json");
                break;
            case "datacontenttype":
                DataContentType = text;
                break;
            case "dataschema" when !UriText.IsAbsolute(text):
                faults.Add(
                    name,
                    $"{EventFaults.Quote(text)} is not an absolute URI",
                    "start it with a scheme such as https: and omit the fragment"
                );
                break;
            default:
                _schema = text;
                break;
        }
    }
}
