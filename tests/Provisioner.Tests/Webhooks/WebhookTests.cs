using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Provisioner.Tests.Appliance;
using Provisioner.Webhooks;

namespace Provisioner.Tests.Webhooks;

public sealed class WebhookTests : IAsyncLifetime
{
    private const string Key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly TemporaryDirectory directory = new();
    private readonly FakeTimeProvider time = new(DateTimeOffset.Parse("2026-03-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly ConcurrentQueue<(string Id, string Timestamp, string Signature, string Body)> received = [];
    private WebApplication receiver = null!;
    private volatile int answer = 200;

    // A new appliance tells of its authority as well.
    private List<string> Networks => [.. received.Select(r => JsonNode.Parse(r.Body)!["what"]?.ToString() ?? "").Where(what => what.StartsWith("Network ", StringComparison.Ordinal))];

    private WebhookOptions Webhook => new() { Name = "chat", Url = new Uri(receiver.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/secret-path"), SecretFile = directory["key"] };

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(directory["key"], Key + "\n");
        File.SetUnixFileMode(directory["key"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        receiver = builder.Build();
        receiver.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            received.Enqueue((context.Request.Headers["webhook-id"].ToString(), context.Request.Headers["webhook-timestamp"].ToString(), context.Request.Headers["webhook-signature"].ToString(), await reader.ReadToEndAsync()));
            context.Response.StatusCode = answer;
        });
        await receiver.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await receiver.DisposeAsync();
        directory.Dispose();
    }

    /// <summary>The example of the specification itself, so that a receiver's library takes what we send.</summary>
    [Fact]
    public void The_signature_is_that_of_Standard_Webhooks() => Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        Signature.Of(Key, "msg_p5jXN8AQM9LWM0D4loKWxJek", DateTimeOffset.FromUnixTimeSeconds(1614265330), """{"test": 2432232314}"""));

    [Fact]
    public async Task What_is_wanted_is_told_in_order_signed_and_after_a_restart_goes_on()
    {
        await using (var appliance = await StartAsync())
        {
            await appliance.ApplyAsync(Site.Network);
            await appliance.ApplyAsync(Site.Network.Replace("lab0", "lab1", StringComparison.Ordinal));
            await UntilAsync(() => Networks.Count == 2);
            Assert.Equal(["Network lab created", "Network lab configured"], Networks);
            foreach (var (id, timestamp, signature, body) in received)
            {
                var expected = HMACSHA256.HashData(Convert.FromBase64String(Key["whsec_".Length..]), Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}"));
                Assert.Equal("v1," + Convert.ToBase64String(expected), signature);
                Assert.StartsWith("evt_", id, StringComparison.Ordinal);
            }
            var listed = (await appliance.RunAsync("webhook", "list", "-o", "json")).Succeeded();
            Assert.DoesNotContain("secret-path", listed, StringComparison.Ordinal);
            Assert.Contains("delivered", (await appliance.RunAsync("webhook", "list", "chat")).Succeeded(), StringComparison.Ordinal);
            Assert.Contains("200", (await appliance.RunAsync("webhook", "try", "chat")).Succeeded(), StringComparison.Ordinal);
        }
        received.Clear();
        // What happens while nobody takes it is told when somebody does, also by the next process.
        answer = 503;
        await using (var appliance = await StartAsync())
        {
            await appliance.SendAsync(HttpMethod.Delete, "networks/lab");
            await UntilAsync(() => !received.IsEmpty);
        }
        answer = 200;
        received.Clear();
        await using (await StartAsync())
            await UntilAsync(() => Networks.Contains("Network lab deleted"));
    }

    [Fact]
    public async Task One_that_does_not_take_it_is_asked_again_then_warned_about_then_given_up()
    {
        await using var appliance = await StartAsync();
        answer = 500;
        await appliance.ApplyAsync(Site.Network);
        await UntilAsync(() => !received.IsEmpty);
        for (var tries = 2; tries <= 5; tries++)
            await AdvanceUntilAsync(TimeSpan.FromMinutes(2), () => received.Count >= tries);
        await UntilAsync(() => appliance.Snapshot.Alerts.ContainsKey("webhook:chat"));
        Assert.Contains("500", appliance.Snapshot.Alerts["webhook:chat"].Message, StringComparison.Ordinal);
        // In order: what is behind it waits.
        Assert.Single(received.Select(r => r.Id).Distinct());

        await AdvanceUntilAsync(TimeSpan.FromHours(2), () => appliance.Services.GetRequiredService<WebhookService>().DeliveriesOf("chat")[0].GivenUp);
        answer = 204;
        await appliance.SendAsync(HttpMethod.Delete, "networks/lab");
        await UntilAsync(() => Networks.Contains("Network lab deleted"));
        await UntilAsync(() => !appliance.Snapshot.Alerts.ContainsKey("webhook:chat"));
    }

    private Task<RunningAppliance> StartAsync() => RunningAppliance.StartAsync(directory, time: time, webhook: Webhook);

    // The service sleeps by the clock of the test: it may not sleep yet when the clock is turned.
    private async Task AdvanceUntilAsync(TimeSpan step, Func<bool> condition)
    {
        for (var i = 0; i < 200 && !condition(); i++)
        {
            time.Advance(step);
            await Task.Delay(25);
        }
        Assert.True(condition());
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 400 && !condition(); i++)
            await Task.Delay(25);
        Assert.True(condition());
    }
}
