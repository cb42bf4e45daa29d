using System.Globalization;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Reads columns of a result by name, so that the code that reads it does not depend on the order of the columns.</summary>
/// <param name="reader">The result.</param>
/// <param name="ordinals">
/// The ordinals of its columns. All results of a statement share them; they are added when they are empty.
/// </param>
internal sealed class SqliteRowReader(SqliteDataReader reader, Dictionary<string, int> ordinals) : IDisposable
{
    /// <summary>Advances to the next row. Returns false if there is none.</summary>
    public bool Read() => reader.Read();

    public bool IsNull(string column) => reader.IsDBNull(OrdinalOf(column));

    public string Text(string column) => reader.GetString(OrdinalOf(column));

    public string? OptionalText(string column) => IsNull(column) ? null : Text(column);

    public long Number(string column) => reader.GetInt64(OrdinalOf(column));

    public long? OptionalNumber(string column) => IsNull(column) ? null : Number(column);

    public int Integer(string column) => reader.GetInt32(OrdinalOf(column));

    public bool Flag(string column) => reader.GetBoolean(OrdinalOf(column));

    public byte[] Bytes(string column) => reader.GetFieldValue<byte[]>(OrdinalOf(column));

    /// <summary>Reads a time that is stored as text.</summary>
    public DateTimeOffset Time(string column) =>
        DateTimeOffset.Parse(Text(column), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);

    /// <summary>Reads a time that is stored as milliseconds since 1970.</summary>
    public DateTimeOffset UnixTime(string column) => DateTimeOffset.FromUnixTimeMilliseconds(Number(column));

    public void Dispose() => reader.Dispose();

    private int OrdinalOf(string column)
    {
        if (ordinals.Count == 0)
        {
            for (var i = 0; i < reader.FieldCount; i++)
            {
                ordinals.Add(reader.GetName(i), i);
            }
        }
        return ordinals[column];
    }
}
