#!/usr/bin/perl
# A resource's ETag is its version (RFC 7644 3.14): If-None-Match spares the body of what a client has, If-Match keeps it
# from overwriting what it has not seen. Weak and strong tags compare alike.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $c = $t->client(token => $t->seed('acme'));
$t->start;

my $base = '/scim/v2/Users';
my $r = $c->request(POST => $base, json => { schemas => [$user], userName => 'ada', title => 'a' });
is_user $r, 201, 'a user';
my ($path, $old) = ("$base/$r->{json}{id}", $r->{headers}{etag});
$r = $c->request(PUT => $path, json => { schemas => [$user], userName => 'ada', title => 'b' });
my $etag = $r->{headers}{etag};
isnt $etag, $old, 'a change makes another version';
my ($opaque) = $etag =~ m{^W/(".*")$};

sub conditional { my ($method, $name, $value, %o) = @_; return $c->request($method => $path, headers => { $name => $value }, %o) }

# --- If-None-Match on a read

for my $has ($etag, $opaque, '*', "$old, $etag", "$etag, $old", "$old,$etag", "\"x\" , $opaque") {
    for my $method (qw(GET HEAD)) {
        my $r = conditional($method, 'If-None-Match', $has);
        is "$r->{status} '$r->{body}' $r->{headers}{etag}", "304 '' $etag", "$method If-None-Match: $has";
        ok !grep(exists $r->{headers}{$_}, qw(content-type content-length location)), 'has nothing else';
    }
}
for my $lacks ($old, '"x"', "\"x\", $old", 'W/""', substr($opaque, 0, -2) . '9"') {
    is_user conditional('GET', 'If-None-Match', $lacks), 200, "GET If-None-Match: $lacks";
}
is conditional('GET', 'If-None-Match', $etag)->{status}, 304, 'the version is of the resource,';
is $c->request(GET => "$path?attributes=title", headers => { 'If-None-Match' => $etag })->{status}, 304,
    'not of what is shown of it';
is $c->request(GET => "$path?attributes=title")->{headers}{etag}, $etag, 'with attributes';
is_error $c->request(GET => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-None-Match' => '*' }), 404, '',
    qr/there is no User/, 'what is not there is 404, whatever the condition';
is $c->request(GET => $base, headers => { 'If-None-Match' => '*' })->{status}, 200, 'a list has no version';
is_user conditional('GET', 'If-Modified-Since', 'Sat, 01 Jan 2050 00:00:00 GMT'), 200, 'If-Modified-Since is not looked at';

# --- If-Match on a read (RFC 9110 13.1.1)

for my $method (qw(GET HEAD)) {
    for my $stale ($old, '"x"', "$old, \"x\"") {
        $r = conditional($method, 'If-Match', $stale);
        is "$r->{status} " . ($r->{headers}{etag} // 'no ETag'), '412 no ETag', "$method If-Match: $stale";
    }
    is conditional($method, 'If-Match', $_)->{status}, 200, "$method If-Match: $_" for $etag, $opaque, '*', "$old, $etag";
}
is_error conditional('GET', 'If-Match', $old), 412, '', qr/If-Match is .*, but the version is \Q$etag\E now; read it again/, 'its detail';
is $c->request(GET => $path, headers => ['If-Match' => $old, 'If-None-Match' => $etag])->{status}, 412,
    'If-Match is evaluated before If-None-Match (RFC 9110 13.2.2)';
is $c->request(GET => $path, headers => ['If-Match' => $etag, 'If-None-Match' => $etag])->{status}, 304, 'and both count';
is_error $c->request(GET => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-Match' => '"x"' }), 404, '',
    qr/there is no User/, 'If-Match on what is not there';
for my $case ([GET => $base], [GET => "$base?count=1000"], [GET => '/scim/v2/Schemas'], [POST => "$base/.search", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'] }],
    [POST => $base, json => { schemas => [$user], userName => 'conditional' }]) {
    my ($method, $at, @body) = @$case;
    is_error $c->request($method => $at, @body, headers => { 'If-Match' => $etag }), 412, '', qr/this address has no version/,
        "$method $at has no ETag that If-Match could list";
    like $c->request($method => $at, @body, headers => { 'If-Match' => '*' })->{status}, qr/^20[01]$/, 'but "*" holds';
}

# --- what is no list of tags

for my $name ('If-Match', 'If-None-Match') {
    for my $bad ('', ' ', ',', ' , ,', '"', '"x', 'W/"', 'W/', 'W/"x"y', '"x" "y"', "*, $etag", "$etag, *", '"x"*', "x\"") {
        my $why = $bad =~ /[^ ,]/ ? 'is malformed' : 'is empty';
        for my $case ([GET => $path], [PUT => $path, json => { schemas => [$user], userName => 'ada', title => 'lost' }], [DELETE => $path], [GET => $base]) {
            my ($method, $at, @body) = @$case;
            is_error $c->request($method => $at, @body, headers => { $name => $bad }), 400, '', qr/$name $why; expected \* or a list of ETags/,
                "$method $at with $name: $bad";
        }
    }
}
is conditional('GET', 'If-None-Match', ", $etag,,")->{status}, 304, 'empty elements of a list are ignored (RFC 9110 5.6.1)';
is conditional('GET', 'If-None-Match', '"x,' . ($opaque =~ tr/"//dr) . ',y"')->{status}, 200, 'a comma in a tag separates nothing';
is $c->request(GET => $path)->{headers}{etag}, $etag, 'nothing of this was written';

# --- If-Match on writes

sub put { my ($name, $value, $title) = @_;
    return conditional('PUT', $name, $value, json => { schemas => [$user], userName => 'ada', title => $title }) }

for my $stale ($old, '"x"', "$old, \"x\"") {
    is_error put('If-Match', $stale, 'lost'), 412, '', qr/If-Match is .*, but the version is \Q$etag\E now; read it again/,
        "PUT If-Match: $stale";
    is_error conditional('DELETE', 'If-Match', $stale), 412, '', qr/If-Match is /, "DELETE If-Match: $stale";
}
for my $has (qw(* etag opaque list)) {
    my $value = { '*' => '*', etag => $etag, opaque => $opaque, list => "$old, $etag" }->{$has};
    $r = put('If-Match', $value, "title $has");
    is_user $r, 200, "PUT If-Match: $value";
    is $r->{json}{title}, "title $has", 'writes';
    $etag = $r->{headers}{etag};
    ($opaque) = $etag =~ m{^W/(".*")$};
}
is_error put('If-None-Match', $_, 'lost'), 412, '', qr/If-None-Match is .*, and the version is/, "PUT If-None-Match: $_"
    for '*', $etag;
$r = put('If-None-Match', $old, 'with another');
is_user $r, 200, 'PUT If-None-Match with another version';
is $c->request(GET => $path)->{json}{title}, 'with another', 'nothing that was refused was written';
is put('If-Match', $etag, 'with another')->{status}, 412, 'a stale version is refused even if nothing would change';
is_error $c->request(PUT => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-Match' => '*' },
    json => { schemas => [$user], userName => 'x' }), 404, '', qr/there is no User/, 'If-Match: * on what is not there';

# --- of two writers that have seen the same version, one writes

$etag = $r->{headers}{etag};
my $token = $c->{token};
my @status = map $_->{status}, $t->concurrently(4, 16, sub {
    my ($i, $client) = @_;
    my $r = $client->request(PUT => $path, token => $token, headers => { 'If-Match' => $etag },
        json => { schemas => [$user], userName => 'ada', title => "writer $i" });
    return { status => $r->{status} };
});
is join(' ', sort @status), join(' ', 200, (412) x 15), 'sixteen writers with one version';

is conditional('DELETE', 'If-Match', $c->request(GET => $path)->{headers}{etag})->{status}, 204, 'DELETE If-Match';

$t->finish;
