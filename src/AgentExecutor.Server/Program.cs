using AgentExecutor.Server.Commands;

return await CommandLine.RunAsync(args);
