using System.Text.Json.Nodes;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Api;

public sealed class StatesTests
{
    [Fact]
    public async Task Every_host_is_told_and_then_each_change()
    {
        await using var appliance = await RunningAppliance.StartAsync();
        await Provisioner.Tests.Web.ConsoleSite.BuildAsync(appliance);
        Assert.Equal(3, (await appliance.GetAsync("states?fieldSelector=state%3DFailed"))["items"]!.AsArray().Count);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        await using var stream = await appliance.Http.GetStreamAsync("states?follow=true", limit.Token);
        using var reader = new StreamReader(stream);
        var states = new Dictionary<string, string>(StringComparer.Ordinal);
        while (states.Count < 18)
            await ReadAsync();
        Assert.Equal("Registered", states["r1-n05"]);

        await appliance.Writer.ChangeAsync(editor =>
        {
            editor.Put(new Provisioner.Hosts.Installation { Id = new string('b', 32), Host = "r1-n05", Profile = "worker", Image = "ubuntu-24.04", OpenedAt = editor.Now, ClosesAt = editor.Now.AddHours(1) });
            return 0;
        });
        while (states["r1-n05"] != "Waiting")
            await ReadAsync();
        await appliance.SendAsync(HttpMethod.Delete, "hosts/r3-n06");
        while (states.ContainsKey("r3-n06"))
            await ReadAsync();

        async Task ReadAsync()
        {
            var line = await reader.ReadLineAsync(limit.Token) ?? throw new EndOfStreamException();
            if (!line.StartsWith("data: ", StringComparison.Ordinal))
                return;
            var told = JsonNode.Parse(line[6..])!;
            if (told["state"] is { } state)
                states[told["host"]!.ToString()] = state.ToString();
            else
                states.Remove(told["host"]!.ToString());
        }
    }
}
