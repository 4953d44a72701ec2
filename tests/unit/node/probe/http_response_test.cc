#include "node/probe/http_response.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using State = HttpResponse::State;

TEST(HttpResponse, IsReadHoweverItIsCutIntoPieces) {
  const std::string text =
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello and what is beyond";
  for (size_t piece = 1; piece < text.size(); ++piece) {
    HttpResponse response;
    State state = State::kMore;
    for (size_t at = 0; at < text.size() && state == State::kMore; at += piece) {
      state = response.Feed(text.substr(at, piece));
    }
    EXPECT_EQ(state, State::kDone) << piece;
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.body(), "hello");
  }
}

TEST(HttpResponse, ABodyEndsByItsLengthByChunksOrByTheConnection) {
  HttpResponse none;
  EXPECT_EQ(none.Feed("HTTP/1.1 204 No Content\r\n\r\n"), State::kDone);
  HttpResponse empty;
  EXPECT_EQ(empty.Feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), State::kDone);
  HttpResponse chunked;
  EXPECT_EQ(chunked.Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "5;name=value\r\nhello\r\n1\r\n!\r\n"),
            State::kMore);
  EXPECT_EQ(chunked.Feed("0\r\nTrailer: x\r\n\r\n"), State::kDone);
  EXPECT_EQ(chunked.body(), "hello!");
  HttpResponse endless;
  EXPECT_EQ(endless.Feed("HTTP/1.0 200 OK\n\nhello"), State::kMore);
  EXPECT_EQ(endless.FeedEnd(), State::kDone);
  EXPECT_EQ(endless.body(), "hello");
}

TEST(HttpResponse, MoreOfABodyThanAnybodyLooksAtIsNotWaitedFor) {
  const std::string large(HttpResponse::kMostBody, 'x');
  for (const char* header : {"Content-Length: 1000000", "X: y", "Transfer-Encoding: chunked"}) {
    HttpResponse response;
    response.Feed(absl::StrCat("HTTP/1.1 200 OK\r\n", header, "\r\n\r\n"));
    if (std::string(header) == "Transfer-Encoding: chunked") response.Feed("fffff\r\n");
    EXPECT_EQ(response.Feed(large), State::kDone) << header;
    EXPECT_EQ(response.body().size(), HttpResponse::kMostBody);
  }
}

TEST(HttpResponse, AnnouncementsComeBeforeTheAnswer) {
  HttpResponse response;
  EXPECT_EQ(response.Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 0\r\n"
                          "\r\n"),
            State::kDone);
  EXPECT_EQ(response.status(), 500);
}

TEST(HttpResponse, WhatIsNoResponseIsBad) {
  for (const char* text : {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n",
                           "HTTP/1.1 abc\r\n", "HTTP/1.1 2000 OK\r\n", "\r\n"}) {
    HttpResponse response;
    EXPECT_EQ(response.Feed(text), State::kBad) << text;
    EXPECT_FALSE(response.problem().empty());
  }
  HttpResponse chunk;
  EXPECT_EQ(chunk.Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), State::kBad);
  HttpResponse run_over;
  EXPECT_EQ(
      run_over.Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"),
      State::kBad);
}

TEST(HttpResponse, HeadersWithoutEndAreBad) {
  HttpResponse response;
  State state = response.Feed("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 1000 && state == State::kMore; ++i) {
    state = response.Feed(absl::StrCat("X", i, ": ", std::string(100, 'y'), "\r\n"));
  }
  EXPECT_EQ(state, State::kBad);
  HttpResponse line;
  EXPECT_EQ(line.Feed(std::string(100'000, 'x')), State::kBad);
}

TEST(HttpResponse, AConnectionThatEndsEarlyIsBad) {
  HttpResponse nothing;
  EXPECT_EQ(nothing.FeedEnd(), State::kBad);
  EXPECT_EQ(nothing.problem(), "the connection was closed without an answer");
  HttpResponse half;
  half.Feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
  EXPECT_EQ(half.FeedEnd(), State::kBad);
}

std::string Resolved(absl::string_view location) {
  const HttpTarget from{false, "10.0.0.1", 8080, "/a/b?q"};
  HttpTarget target;
  if (!ResolveLocation(from, location, &target)) return "none";
  return absl::StrCat(target.tls ? "https " : "http ", target.host, " ", target.port, " ",
                      target.path);
}

TEST(ResolveLocation, FollowsRfc3986AsFarAsRedirectsNeedIt) {
  EXPECT_EQ(Resolved("/x?y#z"), "http 10.0.0.1 8080 /x?y");
  EXPECT_EQ(Resolved("c"), "http 10.0.0.1 8080 /a/c");
  EXPECT_EQ(Resolved("?r"), "http 10.0.0.1 8080 /a/b?r");
  EXPECT_EQ(Resolved("http://10.0.0.1/x"), "http 10.0.0.1 80 /x");
  EXPECT_EQ(Resolved("https://10.0.0.1:9/x"), "https 10.0.0.1 9 /x");
  EXPECT_EQ(Resolved("HTTPS://host"), "https host 443 /");
  EXPECT_EQ(Resolved("//host:9?q"), "http host 9 /?q");
  EXPECT_EQ(Resolved("http://user:secret@host/"), "http host 80 /");
  EXPECT_EQ(Resolved("http://[2001:db8::1]:9/"), "http 2001:db8::1 9 /");
  for (const char* nowhere : {"ftp://host/", "mailto:a@b", "http://", "http://host:0/",
                              "http://host:99999/", "http://:80/"}) {
    EXPECT_EQ(Resolved(nowhere), "none") << nowhere;
  }
}

TEST(RequestPath, EscapesWhatCannotStandInARequest) {
  EXPECT_EQ(RequestPath("/a b\r\n?x=ü#frag"), "/a%20b%0D%0A?x=%C3%BC");
}

}  // namespace
}  // namespace cluster::node
