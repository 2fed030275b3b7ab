using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Appliance;
using Provisioner.Certificates.Keys;
using Provisioner.Events;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Webhooks;

/// <summary>
/// Tells others what happens, each at his own pace and in order. An event is told at least once: where each stands is kept, so that a restart, or an
/// hour in which the other side did not answer, loses nothing that is still stored.
/// </summary>
internal sealed class WebhookService(ImmutableArray<WebhookOptions> webhooks, string dataDirectory, EventLog log, IStore store, CurrentState state, StateWriter writer, TimeProvider time, ILogger<WebhookService> logger) : BackgroundService
{
    /// <summary>An event that nobody took for so long is given up, so that the next ones are told.</summary>
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromHours(24);

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(5), LongestWait = TimeSpan.FromHours(1), Patience = TimeSpan.FromSeconds(10);

    private const int Kept = 50;

    // No redirect: what was signed for one place is for no other.
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = Patience, UseCookies = false }) { Timeout = Patience };
    private readonly Dictionary<string, string> keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Queue<Delivery>> deliveries = webhooks.ToDictionary(h => h.Name, _ => new Queue<Delivery>(), StringComparer.Ordinal);

    public IEnumerable<WebhookOptions> All => webhooks;

    /// <summary>The last ones, newest first.</summary>
    public IReadOnlyList<Delivery> DeliveriesOf(string name)
    {
        lock (deliveries)
            return [.. deliveries[name].Reverse()];
    }

    /// <exception cref="StartRefusedException">A key cannot be read.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var webhook in webhooks)
        {
            try
            {
                using var secret = Secret.Read(webhook.SecretFile, $"The key of webhook {webhook.Name}", "Put one there, or correct its secretFile.");
                keys[webhook.Name] = Encoding.UTF8.GetString(secret.Bytes);
            }
            catch (KeyStoreException e)
            {
                throw new StartRefusedException(e.Message);
            }
        }
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Sends a trial, once.</summary>
    public async Task<Delivery> TryAsync(string name, CancellationToken ct)
    {
        var webhook = webhooks.FirstOrDefault(h => h.Name == name) ?? throw new ChangeRefusedException(RefusalKind.NotFound,
            $"There is no webhook '{Reading.Shorten(name)}'. {(webhooks.IsEmpty ? "The configuration names none." : $"There is: {string.Join(", ", webhooks.Select(h => h.Name))}.")}");
        var now = time.GetUtcNow();
        var (delivered, answer) = await PostAsync(webhook, $"trial_{now.ToUnixTimeMilliseconds()}", new JsonObject { ["type"] = "trial", ["at"] = Json.At(now), ["what"] = "A trial: nothing happened." }, ct);
        return Keep(webhook, new(0, now, now, 1, delivered, false, answer));
    }

    public override void Dispose()
    {
        http.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(webhooks.Select(h => FollowAsync(h, stoppingToken)));

    private async Task FollowAsync(WebhookOptions webhook, CancellationToken stopping)
    {
        try
        {
            // One that is new is told what happens from now on.
            var after = Position(webhook) ?? store.LastEventId;
            Remember(webhook, after);
            await foreach (var entry in log.FollowAsync(new EventQuery { AfterId = after }, stopping))
            {
                if (!webhook.Wants(entry))
                    continue;
                await DeliverAsync(webhook, entry, stopping);
                Remember(webhook, entry.Id);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What was under way is delivered after the next start.
        }
    }

    private async Task DeliverAsync(WebhookOptions webhook, Event entry, CancellationToken stopping)
    {
        var json = Json.Of(entry);
        json["type"] = "event";
        var first = time.GetUtcNow();
        for (var (attempt, wait) = (1, FirstWait); ; attempt++, wait = wait * 2 < LongestWait ? wait * 2 : LongestWait)
        {
            var (delivered, answer) = await PostAsync(webhook, string.Create(CultureInfo.InvariantCulture, $"evt_{entry.Id}"), json, stopping);
            var now = time.GetUtcNow();
            var isOver = !delivered && now - first >= GiveUpAfter;
            Keep(webhook, new(entry.Id, first, now, attempt, delivered, isOver, answer));
            if (delivered)
            {
                await SettleAsync(webhook);
                return;
            }
            Log.NotDelivered(logger, webhook.Name, entry.Id, attempt, answer);
            if (attempt == 5 || isOver)
                await WarnAsync(webhook, isOver ? $"event {entry.Id} was given up after {GiveUpAfter.TotalHours:0} h" : "events wait", answer);
            if (isOver)
                return;
            await Task.Delay(wait, time, stopping);
        }
    }

    private async Task<(bool Delivered, string Answer)> PostAsync(WebhookOptions webhook, string id, JsonObject json, CancellationToken ct)
    {
        var (body, now) = (json.ToJsonString(Json.Options), time.GetUtcNow());
        using var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add(Signature.IdHeader, id);
        request.Headers.Add(Signature.TimestampHeader, now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Headers.Add(Signature.SignatureHeader, Signature.Of(keys[webhook.Name], id, now, body));
        request.Headers.UserAgent.ParseAdd($"provisioner/{ApplianceStatus.Version}");
        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            return (answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {(HttpStatusCode)answer.StatusCode}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (false, $"no answer within {Patience.TotalSeconds:0} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            return (false, Texts.OneLine(e.GetBaseException().Message, 200));
        }
    }

    private Delivery Keep(WebhookOptions webhook, Delivery delivery)
    {
        lock (deliveries)
        {
            var queue = deliveries[webhook.Name];
            // Of several tries of one event, the last.
            if (delivery.Attempts > 1 && queue.LastOrDefault()?.EventId == delivery.EventId)
                deliveries[webhook.Name] = queue = new(queue.SkipLast(1));
            queue.Enqueue(delivery);
            if (queue.Count > Kept)
                queue.Dequeue();
        }
        return delivery;
    }

    private static string AlertOf(WebhookOptions webhook) => $"webhook:{webhook.Name}";

    private Task WarnAsync(WebhookOptions webhook, string what, string answer) => ChangeAsync(editor => editor.Raise(new Alert
    {
        Id = AlertOf(webhook),
        Severity = AlertSeverity.Warning,
        Message = $"Webhook {webhook.Name} does not take what it is sent ({answer}): {what}.",
        Remedy = $"provisioner webhook list {webhook.Name} says what it answers, provisioner webhook try {webhook.Name} sends a trial.",
    }));

    private async Task SettleAsync(WebhookOptions webhook)
    {
        if (state.Snapshot.Alerts.ContainsKey(AlertOf(webhook)))
            await ChangeAsync(editor => editor.Lower(AlertOf(webhook)));
    }

    private async Task ChangeAsync(Action<StateEditor> change)
    {
        try
        {
            await writer.ChangeAsync(editor => { change(editor); return 0; });
        }
        catch (StoreException e)
        {
            // The log has it.
            Log.NotStored(logger, e.Message);
        }
    }

    private string PathOf(WebhookOptions webhook) => Path.Combine(dataDirectory, "webhooks", webhook.Name);

    private long? Position(WebhookOptions webhook) =>
        File.Exists(PathOf(webhook)) && long.TryParse(File.ReadAllText(PathOf(webhook)), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? Math.Min(id, store.LastEventId) : null;

    private void Remember(WebhookOptions webhook, long id)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(PathOf(webhook))!);
            var next = PathOf(webhook) + ".new";
            File.WriteAllText(next, id.ToString(CultureInfo.InvariantCulture));
            File.Move(next, PathOf(webhook), overwrite: true);
        }
        catch (IOException e)
        {
            // It is told once more after a restart.
            Log.NotStored(logger, e.Message);
        }
    }
}
