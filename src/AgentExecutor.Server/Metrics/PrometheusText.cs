using System.Buffers;
using System.Globalization;
using System.Text;

namespace AgentExecutor.Server.Metrics;

/// <summary>Writes the Prometheus text format, version 0.0.4.</summary>
/// <remarks>Source: https://prometheus.io/docs/instrumenting/exposition_formats/</remarks>
internal sealed class PrometheusText(IBufferWriter<byte> output)
{
    /// <summary>The longest number: a double in its shortest form that reads back the same takes up to 24 characters.</summary>
    private const int NumberLength = 32;

    public void Header(string name, string? help, string type)
    {
        if (!string.IsNullOrEmpty(help))
        {
            Text("# HELP "u8);
            Text(name);
            Text(" "u8);
            Text(help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
            Text("\n"u8);
        }
        Text("# TYPE "u8);
        Text(name);
        Text(" "u8);
        Text(type);
        Text("\n"u8);
    }

    /// <param name="labels">As <see cref="LabelText"/> writes them.</param>
    public void Sample(string name, string labels, long value) => Sample(name, "", labels, value);

    /// <inheritdoc cref="Sample(string, string, long)"/>
    public void Sample(string name, string labels, double value) => Sample(name, "", labels, value);

    /// <inheritdoc cref="Sample(string, string, long)"/>
    public void Sample(string name, string suffix, string labels, long value)
    {
        Start(name, suffix, labels);
        Number(value);
        Text("\n"u8);
    }

    /// <inheritdoc cref="Sample(string, string, long)"/>
    public void Sample(string name, string suffix, string labels, double value)
    {
        Start(name, suffix, labels);
        Number(value);
        Text("\n"u8);
    }

    /// <param name="count">Of all values up to <paramref name="bound"/>.</param>
    public void Bucket(string name, string labels, double bound, long count)
    {
        Text(name);
        Text("_bucket{"u8);
        if (labels.Length > 0)
        {
            Text(labels);
            Text(","u8);
        }
        Text("le=\""u8);
        Number(bound);
        Text("\"} "u8);
        Number(count);
        Text("\n"u8);
    }

    private void Start(string name, string suffix, string labels)
    {
        Text(name);
        Text(suffix);
        if (labels.Length > 0)
        {
            Text("{"u8);
            Text(labels);
            Text("}"u8);
        }
        Text(" "u8);
    }

    private void Number(double value)
    {
        if (double.IsInfinity(value))
        {
            Text(value > 0 ? "+Inf"u8 : "-Inf"u8);
        }
        else
        {
            value.TryFormat(output.GetSpan(NumberLength), out var written, default, CultureInfo.InvariantCulture);
            output.Advance(written);
        }
    }

    private void Number(long value)
    {
        value.TryFormat(output.GetSpan(NumberLength), out var written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    private void Text(ReadOnlySpan<byte> text) => output.Write(text);

    private void Text(string text) => Encoding.UTF8.GetBytes(text, output);
}
