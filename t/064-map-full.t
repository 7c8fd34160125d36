#!/usr/bin/perl
# A full store refuses what needs room with a 503 that names size=, serves and deletes on, and takes writes again once
# there is room: after deletions, or in a larger map, which workers that were there before adopt.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $http = "scim_store main %%DIR%%/store size=4m;\nscim_store tiny %%DIR%%/tiny size=1m;";
# LMDB's own "map full" would be another [crit]: the reserve is for the refusal to come before it.
my $t = Scim->new(http => $http, expect_log => [qr/ is full: creates are refused, because its \d+ bytes are all but used up/], server => <<'EOS')->start->served('/main/Users')->served('/tiny/Users');
    location /main/ { scim main; }
    location /tiny/ { scim tiny; }
EOS

my (%token, $client, %left);

sub big { my ($name) = @_; return Scim::user($name, displayName => $name x (3000 / length $name)) }

# Creates users until one is refused: (the refusal, the ids of the others)
sub fill {
    my ($users, $name) = @_;
    my @ids;
    for (1 .. 3000) {
        my $r = $client->request(POST => $users, json => big("$name$_"));
        return ($r, @ids) if $r->{status} != 201;
        push @ids, $r->{json}{id};
    }
    return ({ status => 0 }, @ids);
}

sub is_full {
    my ($r, $name) = @_;
    ok $r->{status} == 503 && ($r->{headers}{'retry-after'} // 0) > 0 && ($r->{json}{detail} // '') =~ /\bsize= of scim_store/,
        $name or diag "$r->{status} ", $r->{body} // '', $r->{error} // '';
}

for my $store ('tiny', 'main') {
    $t->{store} = $store eq 'main' ? "$t->{dir}/store" : "$t->{dir}/tiny";
    $token{$store} = $t->token($t->tenant('acme'));
    $client = $t->client(token => $token{$store});
    my $users = "/$store/Users";

    my ($r, @ids) = fill($users, 'first');
    is_full $r, "$store: filled by " . @ids . ' users, a create is 503';
    cmp_ok scalar @ids, '>', $store eq 'main' ? 300 : 20, "$store: after a fair number of creates";
    is_full $client->request(POST => $users, json => Scim::user('small')), "$store: a small one, too";
    like $t->log, qr{\[crit\] .*store "\Q$t->{store}\E" is full: creates are refused, .*; raise size= of scim_store and reload},
        "$store: the error log names the store and its size";
    is $client->request(GET => "$users?count=1")->{json}{totalResults}, @ids, "$store: what was acknowledged is there";
    is $client->request(GET => "$users/$_")->{status}, 200, "$store: and can be read" for @ids[0, -1];
    $r = $client->request(PUT => "$users/$ids[0]", json => { %{ big('first1') }, active => JSON::PP::false });
    is $r->{status}, 200, "$store: somebody can be locked out" or diag $r->{body};

    is_full $client->request(PUT => "$users/$ids[1]", json => { %{ big('first2') }, title => 'x' x 1000 }),
        "$store: nobody can grow";

    my $third = @ids / 3;
    my @gone = splice @ids, 0, $third;
    my %status;
    $status{ $client->request(DELETE => "$users/$_")->{status} }++ for @gone;
    is_deeply \%status, { 204 => scalar @gone }, "$store: users can be deleted";
    ($r, my @more) = fill($users, 'second');
    is_full $r, "$store: full again";
    cmp_ok scalar @more, '>', $third / 2, "$store: after creates in the room of the deleted (" . @more . ' for ' . @gone . ')';
    $left{$store} = @ids + @more;
}

# --- a larger map

my $users = '/main/Users';
is +($t->poke(qw(meta min_reader)))[1], "1\n", 'the store can be read by others';

# Two requests that the worker has begun to read: it stays until they are answered.
my $token = $token{main};
my ($reader, $writer) = map $t->client(token => $token), 1 .. 2;
my ($old) = $t->workers;
my $body = $Scim::json->encode(Scim::user('late'));
$reader->connect;
$reader->write("GET $users?count=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n");
my ($head) = $writer->_render(POST => $users, body => $body, expect => 1);
$writer->connect;
$writer->write($head);
push @{ $writer->{pending} }, 'EXPECT', 'POST';
is $writer->receive->{status}, 100, 'a worker has begun to read a write';

$t->conf(undef, http => $http =~ s/size=4m/size=16m/r);
$t->reload;
$client->close;
my $added = 0;
for (1 .. 1000) {    # 4 MiB hold 700 or so
    my $r = $client->request(POST => $users, json => big("third$_"));
    $added++ if $r->{status} == 201;
}
is $added, 1000, 'after a reload with a larger size= there is room';
ok -s "$t->{dir}/store/data.mdb" > 4 << 20, 'the file is larger than the old map';

ok !$t->_gone($old), 'the old worker is still there';
$reader->write("\r\n");
push @{ $reader->{pending} }, 'GET';
my $r = $reader->receive;
is "$r->{status} " . ($r->{json}{totalResults} // ''), '200 ' . ($left{main} + $added), 'it reads what does not fit into its map';
$writer->write($body);
$r = $writer->receive;
is $r->{status}, 201, 'and writes' or diag $r->{body};
is $client->request(GET => "$users/$r->{json}{id}")->{json}{userName}, 'late', 'what the new one reads';
$_->close for $reader, $writer;
ok $t->wait_for(sub { $t->_gone($old) }), 'and leaves when it is done';

$t->finish;
