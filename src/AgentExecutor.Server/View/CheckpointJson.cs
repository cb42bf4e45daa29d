using System.Text.Json;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Server.View;

/// <summary>Writes the JSON of a checkpoint for lists of checkpoints.</summary>
internal static class CheckpointJson
{
    public static void Write(Utf8JsonWriter writer, StoredCheckpoint checkpoint)
    {
        writer.WriteStartObject();
        writer.WriteString("checkpoint_id"u8, checkpoint.Id);
        writer.WriteString("parent_checkpoint_id"u8, checkpoint.ParentId);
        writer.WriteString("ns"u8, checkpoint.Namespace);
        writer.WriteString("run_id"u8, checkpoint.RunId);
        writer.WriteNumber("step"u8, checkpoint.Step);
        writer.WriteString("source"u8, checkpoint.Source.ToString().ToLowerInvariant());
        writer.WriteString("ts"u8, checkpoint.Time);
        writer.WritePropertyName("next"u8);
        writer.WriteRawValue(checkpoint.Due.Span);
        writer.WriteStartArray("updated_channels"u8);
        foreach (var channel in checkpoint.Updated)
        {
            writer.WriteStringValue(channel);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
