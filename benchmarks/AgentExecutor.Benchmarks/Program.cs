using AgentExecutor.Benchmarks;

var isJson = args.Contains("--json");
return args.FirstOrDefault() switch
{
    "engine" => Report.Print(await EngineBenchmark.RunAsync(), isJson),
    "store" => Report.Print(await StoreBenchmark.RunAsync(Report.Option(args, "--store") ?? "sqlite"), isJson),
    "steps" => Report.Print(await StepsBenchmark.RunAsync(Report.Option(args, "--store") ?? "postgres"), isJson),
    "failover" => Report.Print(await FailoverBenchmark.RunAsync(Report.Option(args, "--store") ?? "postgres"), isJson),
    "jobs" => Report.Print(
        await JobsBenchmark.RunAsync(Report.Option(args, "--bus") ?? "nats", Report.Option(args, "--store") ?? "postgres"),
        isJson
    ),
    "queue" => Report.Print(await QueueBenchmark.RunAsync(Report.Option(args, "--store") ?? "postgres"), isJson),
    "tools" => Report.Print(await ToolsBenchmark.RunAsync(), isJson),
    "models" => Report.Print(await ModelsBenchmark.RunAsync(), isJson),
    StreamingModelServer.Command => await StreamingModelServer.ServeAsync(),
    "stream" => Report.Print(await StreamBenchmark.RunAsync(), isJson),
    _ => Report.Usage(),
};
