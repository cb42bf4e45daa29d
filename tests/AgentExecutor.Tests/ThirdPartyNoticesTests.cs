using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace AgentExecutor.Tests;

/// <summary>Writes the list of the packages that the program ships from what the last restore resolved.</summary>
public sealed class ThirdPartyNoticesTests
{
    [Fact]
    public void Third_party_notices_list_every_package_that_is_shipped()
    {
        using var assets = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(Repository.Root, "artifacts", "obj", "AgentExecutor.Server", "project.assets.json"))
        );
        var folders = assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(static folder => folder.Name).ToList();
        var text = new StringBuilder(
            """
            # Third-party notices

            AgentExecutor ships the following packages. A test generates this file from the resolved packages when it is out of date.

            | package | version | licence | project |
            | --- | --- | --- | --- |

            """
        );
        foreach (var package in ShippedPackages(assets.RootElement).Order(StringComparer.OrdinalIgnoreCase))
        {
            var files = assets.RootElement.GetProperty("libraries").GetProperty(package).GetProperty("path").GetString()!;
            var folder = folders.Select(it => Path.Combine(it, files)).First(Directory.Exists);
            text.Append(Row(XDocument.Load(Directory.GetFiles(folder, "*.nuspec").Single())));
        }

        GeneratedFile.AssertCurrent("THIRD-PARTY-NOTICES.md", text.ToString());
    }

    [Fact]
    public void Lock_files_name_no_package_source()
    {
        var locks = new[] { "src", "tests", "benchmarks" }
            .SelectMany(folder =>
                Directory.GetFiles(Path.Combine(Repository.Root, folder), "packages.lock.json", SearchOption.AllDirectories)
            )
            .ToList();

        Assert.NotEmpty(locks);
        Assert.All(locks, file => Assert.DoesNotContain("://", File.ReadAllText(file), StringComparison.Ordinal));
    }

    /// <summary>Returns the packages with files for run time, which analyzers and other build tools do not have.</summary>
    private static IEnumerable<string> ShippedPackages(JsonElement assets) =>
        assets
            .GetProperty("targets")
            .GetProperty("net10.0")
            .EnumerateObject()
            .Where(static it => it.Value.GetProperty("type").GetString() == "package")
            .Where(static it => it.Value.EnumerateObject().Any(static files => files.Name is "runtime" or "runtimeTargets" or "native"))
            .Select(static it => it.Name);

    private static string Row(XDocument nuspec)
    {
        var metadata = nuspec.Root!.Elements().Single(static it => it.Name.LocalName == "metadata");
        return $"| {Value("id")} | {Value("version")} | {Licence()} | {Value("projectUrl") ?? RepositoryUrl()} |\n";

        string? Value(string name) => metadata.Elements().SingleOrDefault(it => it.Name.LocalName == name)?.Value;

        string Licence() =>
            metadata.Elements().SingleOrDefault(static it => it.Name.LocalName == "license") is { } licence
                ? licence.Attribute("type")?.Value == "expression"
                    ? licence.Value
                    : $"the file {licence.Value} of the package"
                : Value("licenseUrl") ?? "not stated";

        string? RepositoryUrl() =>
            metadata.Elements().SingleOrDefault(static it => it.Name.LocalName == "repository")?.Attribute("url")?.Value;
    }
}
