using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>Gathers the attributes of one event, from members or from headers, and holds each against the specification.</summary>
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

    /// <summary>True where the attribute was there, even with a value that is refused.</summary>
    public bool Has(string name) => _names.Contains(name);

    /// <summary>False, with a fault, where the name is none or was there before.</summary>
    public bool TryName(string name)
    {
        if (!AttributeText.IsName(name))
        {
            faults.Add(
                name, "it cannot be an attribute's name",
                name is "data" ? "send the data as the message's body" : "use lower-case letters and digits only, and put your own fields into data");
            return false;
        }
        return TryFirst(name);
    }

    /// <summary>False, with a fault, where the name was there before.</summary>
    public bool TryFirst(string name)
    {
        if (_names.Add(name))
        {
            return true;
        }
        faults.Add(name, "it is there more than once", "keep one of them");
        return false;
    }

    /// <summary>Takes note that the attribute is not set, so that it is missing where it is required.</summary>
    public void Unset(string name) => _names.Remove(name);

    /// <summary>Takes a value under a name that <see cref="TryName"/> let pass.</summary>
    public void Set(string name, AttributeValue value)
    {
        if (AttributeText.Forbidden(value.Text) is { } character)
        {
            faults.Add(name, $"it holds the character {character}, which no attribute may hold", "take control characters out of it");
            return;
        }
        if (!IsCore(name))
        {
            (_extensions ??= CloudEvent.NoExtensions.ToBuilder())[name] = value;
        }
        else if (value.Kind != AttributeKind.Text)
        {
            faults.Add(name, $"it must be a string, and is the {(value.Kind == AttributeKind.Boolean ? "boolean" : "number")} {value.Text}", "put it into quotes");
        }
        else if (value.Text.Length == 0)
        {
            faults.Add(name, "it is empty", name is "id" or "source" or "type" or "specversion" ? "give it a value" : "give it a value or leave it away");
        }
        else
        {
            SetCore(name, value.Text);
        }
    }

    /// <summary>The event; texts that had faults are empty.</summary>
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
                faults.Add(name, $"it is {EventFaults.Quote(text)}, and only \"1.0\" is known", "send the event by CloudEvents 1.0");
                break;
            case "specversion":
                _version = text;
                break;
            case "id":
                _id = text;
                break;
            case "source" when !UriText.IsReference(text):
                faults.Add(name, $"{EventFaults.Quote(text)} is no URI reference", "write a URI or a path, with other characters percent-encoded");
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
                faults.Add(name, $"{EventFaults.Quote(text)} is no time by RFC 3339", "write it as in 2018-04-05T17:31:00Z");
                break;
            case "time":
                _ = Timestamp.TryRead(text, out var time);
                _time = time;
                break;
            case "datacontenttype" when !MediaType.IsWellFormed(text):
                faults.Add(name, $"{EventFaults.Quote(text)} is no media type", "write it as in application/json");
                break;
            case "datacontenttype":
                DataContentType = text;
                break;
            case "dataschema" when !UriText.IsAbsolute(text):
                faults.Add(name, $"{EventFaults.Quote(text)} is no absolute URI", "begin it with a scheme such as https: and leave a fragment away");
                break;
            default:
                _schema = text;
                break;
        }
    }
}
