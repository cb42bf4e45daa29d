using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Reads columns of a result by name, so that a reader does not depend on the order of the columns.</summary>
internal static class ColumnReading
{
    public static bool IsNull(this NpgsqlDataReader row, string column) => row.IsDBNull(row.GetOrdinal(column));

    public static string Text(this NpgsqlDataReader row, string column) => row.GetString(row.GetOrdinal(column));

    public static string? OptionalText(this NpgsqlDataReader row, string column)
    {
        var ordinal = row.GetOrdinal(column);
        return row.IsDBNull(ordinal) ? null : row.GetString(ordinal);
    }

    public static long Number(this NpgsqlDataReader row, string column) => row.GetInt64(row.GetOrdinal(column));

    public static long? OptionalNumber(this NpgsqlDataReader row, string column)
    {
        var ordinal = row.GetOrdinal(column);
        return row.IsDBNull(ordinal) ? null : row.GetInt64(ordinal);
    }

    public static int Integer(this NpgsqlDataReader row, string column) => row.GetInt32(row.GetOrdinal(column));

    public static bool Flag(this NpgsqlDataReader row, string column) => row.GetBoolean(row.GetOrdinal(column));

    /// <summary>Reads a duration that the statement returns as seconds.</summary>
    public static TimeSpan Seconds(this NpgsqlDataReader row, string column) => TimeSpan.FromSeconds(row.GetDouble(row.GetOrdinal(column)));

    public static DateTime Time(this NpgsqlDataReader row, string column) => row.GetDateTime(row.GetOrdinal(column));

    public static byte[] Bytes(this NpgsqlDataReader row, string column) => row.GetFieldValue<byte[]>(row.GetOrdinal(column));

    public static byte[]? OptionalBytes(this NpgsqlDataReader row, string column)
    {
        var ordinal = row.GetOrdinal(column);
        return row.IsDBNull(ordinal) ? null : row.GetFieldValue<byte[]>(ordinal);
    }
}
