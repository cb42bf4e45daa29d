using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Channels;

/// <summary>A thread's virtual files (<see cref="FileTree"/>). An update maps paths to files; null deletes the file.</summary>
public sealed class FilesChannel(string name = FilesChannel.DefaultName) : Channel(name)
{
    public const string KindName = "files";
    public const string DefaultName = "files";

    public override string Kind => KindName;

    public override bool IsDelta => true;

    public override object? Reduce(object? value, IReadOnlyList<object> updates) =>
        updates.Aggregate(value as FileTree ?? FileTree.Empty, static (tree, update) => tree.Apply((FileUpdate)update));

    public override long ItemsIn(object? value) => value is FileTree tree ? tree.Entries.Count : 0;

    public override void WriteValue(Utf8JsonWriter writer, object value)
    {
        writer.WriteStartObject();
        foreach (var (path, file) in ((FileTree)value).Entries)
        {
            writer.WritePropertyName(path);
            VirtualFile.Write(writer, file);
        }
        writer.WriteEndObject();
    }

    public override object ReadValue(JsonElement json) => FileTree.Empty.Apply(Read(json));

    public override void WriteUpdate(Utf8JsonWriter writer, object update)
    {
        writer.WriteStartObject();
        foreach (var (path, file) in ((FileUpdate)update).Changes)
        {
            writer.WritePropertyName(path);
            if (file is null)
            {
                writer.WriteNullValue();
            }
            else
            {
                VirtualFile.Write(writer, file);
            }
        }
        writer.WriteEndObject();
    }

    public override object ReadUpdate(JsonElement json, string idPrefix) => Read(json);

    private FileUpdate Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(json, "an object that maps paths to files");
        }
        var changes = ImmutableSortedDictionary.CreateBuilder<string, VirtualFile?>(StringComparer.Ordinal);
        foreach (var entry in json.EnumerateObject())
        {
            if (!FilePath.TryNormalize(entry.Name, out var path, out var fault))
            {
                throw new FaultException(FaultCodes.InvalidUpdate, fault);
            }
            changes[path] = entry.Value.ValueKind == JsonValueKind.Null ? null : VirtualFile.Read(path, entry.Value);
        }
        return new FileUpdate(changes.ToImmutable());
    }
}
