using AgentExecutor.Benchmarks;

var isJson = args.Contains("--json");
return args.FirstOrDefault() switch
{
    "engine" => Report.Print(await EngineBenchmark.RunAsync(), isJson),
    "store" => Report.Print(await StoreBenchmark.RunAsync(Report.Option(args, "--store") ?? "sqlite"), isJson),
    _ => Report.Usage(),
};
