using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Provisioner.Api.Description;
using Provisioner.Auth;
using Provisioner.Certificates.Est;
using Provisioner.Tests.Appliance;
using Provisioner.Tests.Auth;

namespace Provisioner.Tests.Api;

/// <summary>The API's own description: whole, and true.</summary>
public sealed class OpenApiTests(OpenApiTests.Shared shared) : IClassFixture<OpenApiTests.Shared>
{
    private readonly RunningAppliance appliance = shared.Appliance;
    private readonly JsonObject document = shared.Document;

    public sealed class Shared : IAsyncLifetime
    {
        internal RunningAppliance Appliance { get; private set; } = null!;

        internal JsonObject Document { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Appliance = await RunningAppliance.StartAsync(access: new AccessOptions { RequestsPerMinute = 100_000 });
            using var nobody = new Visitor(Appliance);
            Document = (await nobody.GetAsync("/openapi/v1.json")).Is(200).Json;
        }

        public ValueTask DisposeAsync() => Appliance.DisposeAsync();
    }

    private IEnumerable<(string Method, string Path, JsonObject Operation)> Operations =>
        from path in document["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        select (operation.Key.ToUpperInvariant(), path.Key, operation.Value!.AsObject());

    [Fact]
    public void Every_endpoint_of_the_API_is_described()
    {
        Assert.StartsWith("3.1", document["openapi"]!.ToString(), StringComparison.Ordinal);
        var served = from endpoint in appliance.Services.GetRequiredService<SecureServer>().Endpoints.OfType<RouteEndpoint>()
            let pattern = endpoint.RoutePattern.RawText!
            where pattern.StartsWith("/api/v1/", StringComparison.Ordinal) && !pattern.StartsWith("/api/v1/self", StringComparison.Ordinal)
            from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods
            select $"{method} {pattern}";
        var described = Operations.Select(o => $"{o.Method} {o.Path}").ToHashSet(StringComparer.Ordinal);
        Assert.Equal(served.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
        // And no line is about what is not there.
        Assert.All(ApiOperations.All, o => Assert.Contains($"{o.Method} /api/v1{o.Path}", described));
    }

    [Fact]
    public void A_client_can_be_generated_from_it()
    {
        var ids = Operations.Select(o => o.Operation["operationId"]!.ToString()).ToList();
        Assert.Equal(ids.Count, ids.Distinct(StringComparer.Ordinal).Count());
        foreach (var (method, path, operation) in Operations)
        {
            var name = $"{method} {path}";
            Assert.False(string.IsNullOrEmpty(operation["summary"]?.ToString()), name);
            Assert.NotNull(operation["security"]);
            var parameters = operation["parameters"]?.AsArray().Select(p => p!.AsObject()).ToList() ?? [];
            Assert.Equal(Regex.Matches(path, "{([^}]+)}").Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal),
                parameters.Where(p => p["in"]!.ToString() == "path").Select(p => p["name"]!.ToString()).Order(StringComparer.Ordinal));
            Assert.All(parameters, p => Assert.NotNull(p["schema"]));
            var responses = operation["responses"]!.AsObject();
            Assert.Contains(responses, r => r.Key.StartsWith('2'));
            Assert.All(responses.Where(r => r.Key[0] is '4' or 'd'), r => Assert.Equal("#/components/schemas/Problem", r.Value!["content"]!["application/problem+json"]!["schema"]!["$ref"]!.ToString()));
        }
        // Nothing refers to what is not there.
        foreach (Match reference in Regex.Matches(document.ToJsonString(), "\"\\$ref\":\"#/components/schemas/([^\"]+)\""))
            Assert.NotNull(document["components"]!["schemas"]![reference.Groups[1].Value]);
        var spec = document["components"]!["schemas"]!["Host"]!["properties"]!["spec"]!;
        Assert.Equal("array", spec["properties"]!["macAddresses"]!["type"]!.ToString());
        Assert.Contains("macAddresses", spec["required"]!.AsArray().Select(r => r!.ToString()));
        Assert.Equal("bearer", document["components"]!["securitySchemes"]!["bearer"]!["scheme"]!.ToString());
    }

    [Fact]
    public async Task Every_endpoint_is_called_as_each_role_and_as_nobody()
    {
        using var nobody = new Visitor(appliance);
        using var viewer = await Visitor.WithTokenAsync(appliance, "sees", Role.Viewer);
        using var op = await Visitor.WithTokenAsync(appliance, "works", Role.Operator);
        using var admin = await Visitor.WithTokenAsync(appliance, "rules", Role.Admin);
        var wrong = new List<string>();
        var asked = 0;
        foreach (var (method, path, operation) in Operations)
        {
            // What it asks for, by its own words.
            var needs = operation["security"]!.AsArray().Any(s => s!.AsObject().Count == 0) ? (Role?)null
                : Enum.GetValues<Role>().Single(r => operation["description"]!.ToString() == $"Needs the role {Roles.Word(r)}.");
            if (needs is null)
                continue;
            foreach (var (visitor, role) in new (Visitor, Role?)[] { (nobody, null), (viewer, Role.Viewer), (op, Role.Operator), (admin, Role.Admin) })
            {
                var answer = await visitor.SendAsync(new HttpMethod(method), Regex.Replace(path, "{[^}]+}", "nope"), method == "GET" ? null : "{}");
                asked++;
                var expected = role is null ? "401" : role < needs ? "403" : "let in";
                var found = (int)answer.Status switch { 401 => "401", 403 => "403", _ => "let in" };
                // An answer that is not described is a surprise to every client.
                var status = ((int)answer.Status).ToString();
                var described = operation["responses"]!.AsObject().ContainsKey(status) || (int)answer.Status >= 500;
                if (found != expected || !described)
                    wrong.Add($"{method} {path} as {role?.ToString() ?? "nobody"}: {status} instead of {expected}{(described ? "" : ", which is not described")}: {answer.Text}");
            }
        }
        Assert.Empty(wrong);
        Assert.True(asked > 300, $"only {asked} were asked");
    }

    [Fact]
    public async Task Answers_are_as_they_are_described()
    {
        await appliance.ApplyAsync($"{Site.Network}\n---\n{Site.Host.Replace(", profile: worker", "", StringComparison.Ordinal)}");
        using var admin = await Visitor.SignedInAsync(appliance, "ada", Role.Admin);
        var wrong = new List<string>();
        var checkedCount = 0;
        foreach (var (method, path, operation) in Operations.Where(o => o.Method == "GET"))
        {
            var asked = path.Replace("/hosts/{name}", "/hosts/web-1", StringComparison.Ordinal).Replace("/networks/{name}", "/networks/lab", StringComparison.Ordinal).Replace("/users/{name}", "/users/ada", StringComparison.Ordinal)
                .Replace("{mac}", "52-54-00-12-34-56", StringComparison.Ordinal).Replace("{host}", "web-1", StringComparison.Ordinal).Replace("{what}", "ipxe", StringComparison.Ordinal);
            var answer = await admin.GetAsync(asked);
            if ((int)answer.Status != 200 || operation["responses"]!["200"]!["content"]?["application/json"]?["schema"] is not JsonObject schema)
                continue;
            checkedCount++;
            Check(answer.Json, schema, path, wrong);
        }
        Assert.Empty(wrong);
        Assert.True(checkedCount > 25, $"only {checkedCount} were checked");
    }

    /// <summary>What of JSON Schema the description uses; a key that it does not name is a mistake, too.</summary>
    private void Check(JsonNode? value, JsonObject schema, string at, List<string> wrong)
    {
        if (schema["$ref"]?.ToString() is { } reference)
            schema = document["components"]!["schemas"]![reference[(reference.LastIndexOf('/') + 1)..]]!.AsObject();
        switch (schema["type"]?.ToString())
        {
            case "object" when value is JsonObject item:
                foreach (var key in schema["required"]?.AsArray() ?? [])
                {
                    if (item[key!.ToString()] is null)
                        wrong.Add($"{at}: {key} is missing");
                }
                foreach (var (key, inner) in item)
                {
                    if (schema["properties"]?[key] is JsonObject known)
                        Check(inner, known, $"{at}.{key}", wrong);
                    else if (schema["properties"] is not null)
                        wrong.Add($"{at}: {key} is not described");
                }
                break;
            case "array" when value is JsonArray list:
                foreach (var item in list)
                    Check(item, schema["items"]!.AsObject(), at + "[]", wrong);
                break;
            case var type:
                var kind = value?.GetValueKind();
                var fits = type switch
                {
                    "string" => kind == System.Text.Json.JsonValueKind.String,
                    "integer" or "number" => kind == System.Text.Json.JsonValueKind.Number,
                    "boolean" => kind is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False,
                    _ => false,
                };
                if (!fits)
                    wrong.Add($"{at}: {kind} instead of {type}");
                break;
        }
    }
}
