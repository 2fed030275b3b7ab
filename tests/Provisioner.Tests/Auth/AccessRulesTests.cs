using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Auth;
using Provisioner.Certificates.Est;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Auth;

public sealed class AccessRulesTests : IAsyncLifetime
{
    private RunningAppliance appliance = null!;

    public async ValueTask InitializeAsync() => appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 });

    public ValueTask DisposeAsync() => appliance.DisposeAsync();

    private List<(string Method, string Pattern)> Endpoints => [.. from endpoint in appliance.Services.GetRequiredService<SecureServer>().Endpoints.OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"]
        select (method, endpoint.RoutePattern.RawText!)];

    [Fact]
    public void Somebody_has_decided_who_may_use_each_endpoint()
    {
        Assert.NotEmpty(Endpoints);
        Assert.All(Endpoints, endpoint => Assert.True(AccessRules.Find(endpoint.Method, endpoint.Pattern) is not null, $"{endpoint.Method} {endpoint.Pattern} has no rule in AccessRules"));
    }

    [Fact]
    public void Every_rule_is_about_an_endpoint() =>
        Assert.All(AccessRules.All, rule => Assert.True(Endpoints.Exists(e => AccessRules.Find(e.Method, e.Pattern) == rule), $"no endpoint is {rule.Method} {rule.Pattern}"));

    [Fact]
    public async Task Each_role_may_what_its_rule_says_and_nobody_may_nothing()
    {
        using var nobody = new Visitor(appliance);
        using var viewer = await Visitor.WithTokenAsync(appliance, "sees", Role.Viewer);
        using var op = await Visitor.WithTokenAsync(appliance, "works", Role.Operator);
        using var admin = await Visitor.WithTokenAsync(appliance, "rules", Role.Admin);
        var visitors = new (Visitor Visitor, Role? Role)[] { (nobody, null), (viewer, Role.Viewer), (op, Role.Operator), (admin, Role.Admin) };
        var wrong = new List<string>();
        var asked = 0;
        foreach (var (method, pattern) in Endpoints.Where(e => e.Method != "*"))
        {
            var needed = AccessRules.Find(method, pattern)!.Role;
            if (needed is null)
                continue;
            foreach (var (visitor, role) in visitors)
            {
                var path = System.Text.RegularExpressions.Regex.Replace(pattern, "{[^}]+}", "nope");
                var answer = await visitor.SendAsync(new HttpMethod(method), path, method == "GET" ? null : "{}");
                asked++;
                var expected = role is null ? "401" : role < needed ? "403" : "let in";
                // Inside, it may be refused for another reason: there is nothing called nope.
                var found = (int)answer.Status switch { 401 => "401", 403 => "403", _ => "let in" };
                if (found != expected)
                    wrong.Add($"{method} {pattern} as {role?.ToString() ?? "nobody"}: {found} instead of {expected}: {answer.Text}");
            }
        }
        Assert.Empty(wrong);
        Assert.True(asked > 300, $"only {asked} were asked");
    }

    [Fact]
    public async Task An_operator_registers_hosts_and_leaves_profiles_to_admins()
    {
        using var op = await Visitor.SignedInAsync(appliance, "olga", Role.Operator);
        (await op.PostAsync("/api/v1/apply", Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal))).Is(200);
        var refused = (await op.PostAsync("/api/v1/apply", Site.Network)).Is(403);
        Assert.Contains("needs the role admin; yours is operator", refused.Json["detail"]!.ToString(), StringComparison.Ordinal);
        Assert.Empty(appliance.Snapshot.Networks);
        Assert.Equal("user/olga", appliance.EventLog.Find(new Provisioner.Storage.EventQuery()).Single(e => e.Subject == "Host/web-1").Actor);
    }
}
